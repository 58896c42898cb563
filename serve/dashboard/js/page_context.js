// What every view shares: the address, the access, the words for who hears, the questions asked.

import { SignedOutError } from "./api_client.js";
import { Poll } from "./poll.js";

export class PageContext {
  /**
   * @param {{view: import("./view_state.js").ViewState, access: import("./access.js").Access,
   *   announcer: import("./announcer.js").Announcer, summaries:
   *   import("./sensor_summaries.js").SensorSummaries, signedOut: () => void}} parts
   */
  constructor(parts) {
    Object.assign(this, parts);
    /** @type {Poll[]} */
    this.polls = [];
  }

  /**
   * Asks again and again while `wanted`.
   *
   * @param {() => Promise<object>} ask
   * @param {number} everyMs
   * @param {{answer: (answer: object) => void, failed: (error: Error) => void}} handlers
   * @param {() => boolean} wanted
   */
  poll(ask, everyMs, { answer, failed }, wanted) {
    const handlers = { answer, failed: (error) => this.#failed(error, failed) };
    const poll = new Poll(ask, everyMs, handlers, wanted);
    this.polls = [...this.polls.filter((other) => !other.stopped), poll];
    return poll;
  }

  say(words) {
    this.announcer.say(words);
  }

  /** Ends what an answer of 401 ends. @returns {boolean} whether it was one */
  endedBy(error) {
    if (!(error instanceof SignedOutError)) return false;
    this.signedOut();
    return true;
  }

  #failed(error, failed) {
    if (!this.endedBy(error)) failed(error);
  }
}
