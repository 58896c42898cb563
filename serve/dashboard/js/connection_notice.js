// Says in one line whether the page still hears from the system; also to screen readers.

import { UnavailableError } from "./api_client.js";
import { setAttribute, setText } from "./elements.js";
import * as wording from "./wording.js";

const GOOD_NEWS_MS = 4_000;

export class ConnectionNotice {
  /** @param {{bar: HTMLElement, text: HTMLElement, spoken: HTMLElement}} nodes */
  constructor(nodes) {
    Object.assign(this, nodes);
    this.wasLost = false;
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
      this.#speakOnce(wording.unavailable(poll.error.message));
    } else if (poll.error !== null) {
      const wait = poll.retryAtMs === null ? 0 : (poll.retryAtMs - nowMs) / 1000;
      this.#show("lost", wording.connectionLost(wait, poll.failures));
      this.#speakOnce("Connection to imustream lost. Trying again by itself.");
    } else if (lost > 0) {
      this.#show("lost", wording.streamsLost(lost, feeds.length));
      this.#speakOnce(wording.streamsLost(lost, feeds.length));
    } else if (this.wasLost) {
      this.wasLost = false;
      this.goodUntilMs = nowMs + GOOD_NEWS_MS;
      this.#show("good", wording.RECONNECTED);
      this.say(wording.RECONNECTED);
    } else if (nowMs > this.goodUntilMs) {
      this.bar.hidden = true;
    }
  }

  /** Words for screen readers only. */
  say(words) {
    setText(this.spoken, words);
  }

  #show(state, words) {
    setAttribute(this.bar, "data-state", state);
    setText(this.text, words);
    this.bar.hidden = false;
  }

  #speakOnce(words) {
    if (!this.wasLost) this.say(words);
    this.wasLost = true;
  }
}
