// One requestAnimationFrame loop draws every plot that is on the screen.

const BUDGET_MS = 9;
const SLOW_FRAME_MS = 24;
const LEAST_SHARE = 1 / 4;
const REDUCED_EVERY_MS = 500;

/**
 * Each frame draws some of the plots and goes on with the next one in the frame after, so that
 * many plots lower the rate of each and never the page's own. How many follows the frames: where
 * they come late, painting costs more than the budget sees, and fewer are drawn.
 */
export class FrameLoop {
  constructor() {
    this.drawables = [];
    this.position = 0;
    this.limit = 1;
    this.paused = false;
    this.lastMs = performance.now();
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    requestAnimationFrame((nowMs) => this.#frame(nowMs));
  }

  /**
   * @param {{visible: boolean, draw: (nowMs: number, calm: boolean) => boolean}} drawable
   *   `draw` returns whether there was anything to draw
   */
  add(drawable) {
    this.drawables.push(drawable);
  }

  remove(drawable) {
    this.drawables = this.drawables.filter((other) => other !== drawable);
  }

  #frame(nowMs) {
    requestAnimationFrame((next) => this.#frame(next));
    const calm = this.calm.matches;
    const intervalMs = nowMs - this.lastMs;
    if (calm && intervalMs < REDUCED_EVERY_MS) return;
    this.lastMs = nowMs;
    if (this.paused) return;
    const visible = this.drawables.filter((drawable) => drawable.visible);
    this.#adapt(intervalMs, visible.length);
    this.#drawSome(visible, nowMs, calm);
  }

  #adapt(intervalMs, visible) {
    const wanted = intervalMs > SLOW_FRAME_MS ? this.limit * 0.8 : this.limit + 0.2;
    this.limit = Math.max(1, visible * LEAST_SHARE, Math.min(visible, wanted));
  }

  #drawSome(visible, nowMs, calm) {
    const limit = calm ? visible.length : this.limit;
    const started = performance.now();
    for (let left = visible.length, drawn = 0; left > 0 && drawn < limit; left -= 1) {
      this.position = (this.position + 1) % visible.length;
      if (visible[this.position].draw(nowMs, calm)) drawn += 1;
      if (performance.now() - started > BUDGET_MS) return;
    }
  }
}
