// Asks again and again while the page is seen; slower while nobody answers.

import { SignedOutError } from "./api_client.js";
import { backoffMs } from "./backoff.js";

export class Poll {
  /**
   * @param {() => Promise<object>} ask
   * @param {number} everyMs
   * @param {{answer: (answer: object) => void, failed: (error: Error) => void}} handlers
   * @param {() => boolean} wanted false while nobody looks at the answers: then `now` begins again
   */
  constructor(ask, everyMs, handlers, wanted = () => true) {
    this.ask = ask;
    this.everyMs = everyMs;
    this.handlers = handlers;
    this.wanted = wanted;
    this.failures = 0;
    /** @type {Error|null} */
    this.error = null;
    this.retryAtMs = null;
    this.seen = () => {
      if (!document.hidden) this.now();
    };
    document.addEventListener("visibilitychange", this.seen);
    this.now();
  }

  /** Asks at once, unless an answer is awaited. */
  async now() {
    if (this.asking || this.stopped || !this.wanted()) return;
    clearTimeout(this.timer);
    this.asking = true;
    this.retryAtMs = null;
    await this.#turn();
    this.asking = false;
    if (!this.stopped && !document.hidden) {
      const wait = this.failures > 0 ? backoffMs(this.failures, Math.random()) : this.everyMs;
      if (this.failures > 0) this.retryAtMs = performance.now() + wait;
      this.timer = setTimeout(() => this.now(), wait);
    }
  }

  stop() {
    this.stopped = true;
    document.removeEventListener("visibilitychange", this.seen);
    clearTimeout(this.timer);
  }

  async #turn() {
    try {
      const answer = await this.ask();
      this.failures = 0;
      this.error = null;
      this.handlers.answer(answer);
    } catch (error) {
      this.failures += 1;
      this.error = error;
      if (error instanceof SignedOutError) this.stop();
      this.handlers.failed(error);
    }
  }
}
