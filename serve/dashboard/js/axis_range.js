// The y axis: round limits that widen at once and narrow slowly, so that the scale stands still.

const NARROW_AFTER_MS = 4_000;

/** The round step (1, 2 or 5 times a power of ten) that cuts `extent` into about three. */
export function roundStep(extent) {
  const power = 10 ** Math.floor(Math.log10(extent / 3));
  const ratio = extent / 3 / power;
  return (ratio < 1.5 ? 1 : ratio < 3.5 ? 2 : ratio < 7.5 ? 5 : 10) * power;
}

/** [low, high] widened to multiples of `step`. */
function widened(low, high, step) {
  return [Math.floor(low / step + 1e-9) * step, Math.ceil(high / step - 1e-9) * step];
}

export class AxisRange {
  /** @param {number} smallest the least extent shown @param {boolean} fromZero magnitudes */
  constructor(smallest, fromZero) {
    this.smallest = smallest;
    this.fromZero = fromZero;
    this.step = roundStep(smallest);
    this.limits = widened(
      fromZero ? 0 : -smallest / 2,
      fromZero ? smallest : smallest / 2,
      this.step,
    );
    this.fittedAt = -Infinity;
  }

  /** @returns {[number, number]} limits, multiples of `step`, that hold [low, high] */
  fit(low, high, nowMs) {
    if (!(low <= high)) return this.limits;
    const [bottom, top] = this.#padded(low, high);
    const [currentBottom, currentTop] = this.limits;
    const fits = low >= currentBottom && high <= currentTop;
    if (this.fittedAt === -Infinity) this.#take(bottom, top, nowMs);
    else if (!fits) this.#take(Math.min(bottom, currentBottom), Math.max(top, currentTop), nowMs);
    else if (this.#isTight(bottom, top)) this.fittedAt = nowMs;
    else if (nowMs - this.fittedAt > NARROW_AFTER_MS) this.#take(bottom, top, nowMs);
    return this.limits;
  }

  #padded(low, high) {
    if (this.fromZero) return [0, Math.max(high * 1.04, this.smallest)];
    const padding = Math.max(0.03 * (high - low), (this.smallest - (high - low)) / 2);
    return [low - padding, high + padding];
  }

  #isTight(bottom, top) {
    const step = roundStep(top - bottom);
    const [low, high] = widened(bottom, top, step);
    return high - low >= this.limits[1] - this.limits[0];
  }

  #take(bottom, top, nowMs) {
    this.step = roundStep(top - bottom);
    this.limits = widened(bottom, top, this.step);
    this.fittedAt = nowMs;
  }
}

/** The least and the largest finite value of some arrays; [Infinity, -Infinity] without any. */
export function extent(arrays) {
  let low = Infinity;
  let high = -Infinity;
  for (const values of arrays) {
    for (const value of values) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return [low, high];
}
