// Says in one line whether the page still hears from the system; also to screen readers.

import { UnavailableError } from "./api_client.js";
import { setAttribute, setText } from "./elements.js";
import * as wording from "./wording.js";

const GOOD_NEWS_MS = 4_000;
const [NOTHING, SOME, ALL] = [0, 1, 2];

export class ConnectionNotice {
  /**
   * @param {{bar: HTMLElement, text: HTMLElement}} nodes
   * @param {import("./announcer.js").Announcer} announcer
   */
  constructor(nodes, announcer) {
    Object.assign(this, nodes);
    this.announcer = announcer;
    /** The worst that was said of this outage. */
    this.lost = NOTHING;
    this.goodUntilMs = 0;
  }

  /**
   * @param {number} nowMs
   * @param {import("./poll.js").Poll} poll the api's
   * @param {import("./sensor_feed.js").SensorFeed[]} feeds
   */
  update(nowMs, poll, feeds) {
    const lost = feeds.filter((feed) => feed.lost).length;
    if (poll.error instanceof UnavailableError) {
      this.#show("lost", wording.unavailable(poll.error.message));
      this.#speak(ALL, wording.unavailable(poll.error.message));
    } else if (poll.error !== null) {
      const wait = poll.retryAtMs === null ? 0 : (poll.retryAtMs - nowMs) / 1000;
      this.#show("lost", wording.connectionLost(wait, poll.failures));
      this.#speak(ALL, "Connection to imustream lost. Trying again by itself.");
    } else if (lost > 0) {
      this.#show("lost", wording.streamsLost(lost, feeds.length));
      this.#speak(SOME, wording.streamsLost(lost, feeds.length));
    } else if (this.lost > NOTHING) {
      this.lost = NOTHING;
      this.goodUntilMs = nowMs + GOOD_NEWS_MS;
      this.#show("good", wording.RECONNECTED);
      this.announcer.say(wording.RECONNECTED);
    } else if (nowMs > this.goodUntilMs) {
      this.bar.hidden = true;
    }
  }

  #show(state, words) {
    setAttribute(this.bar, "data-state", state);
    setText(this.text, words);
    this.bar.hidden = false;
  }

  /** Said once, and again where it gets worse: streams alone, then the api too. */
  #speak(lost, words) {
    if (lost > this.lost) this.announcer.say(words);
    this.lost = Math.max(this.lost, lost);
  }
}
