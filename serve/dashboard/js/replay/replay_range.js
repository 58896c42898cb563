// Which span of a session is looked at: zoomed and moved, always within the session. Pure.

const LEAST_S = 0.5;

/** @typedef {[number, number]} Range seconds on the device's clock */

/** @param {Range} range @param {Range} whole @returns {Range} of at least half a second, within */
export function within(range, whole) {
  const length = Math.min(whole[1] - whole[0], Math.max(LEAST_S, range[1] - range[0]));
  const from = Math.max(whole[0], Math.min(range[0], whole[1] - length));
  return [from, from + length];
}

/** @param {number} factor below 1 for less of the session */
export function zoomed(range, whole, factor) {
  const middle = (range[0] + range[1]) / 2;
  const half = ((range[1] - range[0]) * factor) / 2;
  return within([middle - half, middle + half], whole);
}

/** @param {number} share of the span shown, negative for what came before */
export function moved(range, whole, share) {
  const by = (range[1] - range[0]) * share;
  return within([range[0] + by, range[1] + by], whole);
}

/** What a key does to the span; null for a key that does nothing. */
export function afterKey(key, range, whole) {
  if (key === "ArrowLeft") return moved(range, whole, -0.25);
  if (key === "ArrowRight") return moved(range, whole, 0.25);
  if (key === "+" || key === "=") return zoomed(range, whole, 0.5);
  if (key === "-") return zoomed(range, whole, 2);
  if (key === "0" || key === "Home") return whole;
  return null;
}

/** Spans between windows that follow each other with a hole, where nothing was measured. */
export function holesOf(windows) {
  const holes = [];
  let end = -Infinity;
  for (const window of windows) {
    const isApart = Number.isFinite(end) && window.start_us > end;
    if (isApart) holes.push([end / 1e6, window.start_us / 1e6]);
    end = Math.max(end, window.end_us);
  }
  return holes;
}
