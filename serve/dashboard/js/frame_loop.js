// One requestAnimationFrame loop draws every plot that is on the screen.

const BUDGET_MS = 9;
const REDUCED_EVERY_MS = 500;

/**
 * Each frame draws as many plots as fit the budget and goes on with the next one in the frame
 * after, so that many plots lower the rate of each and never the page's own.
 */
export class FrameLoop {
  constructor() {
    this.drawables = [];
    this.position = 0;
    this.paused = false;
    this.lastMs = performance.now();
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    requestAnimationFrame((nowMs) => this.#frame(nowMs));
  }

  /** @param {{visible: boolean, draw: (nowMs: number, calm: boolean) => void}} drawable */
  add(drawable) {
    this.drawables.push(drawable);
  }

  remove(drawable) {
    this.drawables = this.drawables.filter((other) => other !== drawable);
  }

  #frame(nowMs) {
    requestAnimationFrame((next) => this.#frame(next));
    if (this.calm.matches && nowMs - this.lastMs < REDUCED_EVERY_MS) return;
    this.lastMs = nowMs;
    if (this.paused) return;
    const started = performance.now();
    for (let left = this.drawables.length; left > 0; left -= 1) {
      this.position = (this.position + 1) % this.drawables.length;
      const drawable = this.drawables[this.position];
      if (!drawable.visible) continue;
      drawable.draw(nowMs, this.calm.matches);
      if (performance.now() - started > BUDGET_MS) return;
    }
  }
}
