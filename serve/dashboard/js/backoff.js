// How long to wait before the next attempt to connect.

const FIRST_MS = 500;
const LONGEST_MS = 15_000;

/**
 * Doubles from half a second to 15 s. Half of each wait is random, so that twenty streams that
 * were lost together do not come back together.
 *
 * @param {number} attempt 1 for the first attempt after a loss
 * @param {number} random in [0, 1)
 */
export function backoffMs(attempt, random) {
  const whole = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt - 1, 10));
  return whole * (0.5 + 0.5 * random);
}
