// Tells people who hear the page what happens: a log, so that no message replaces another unheard.

import { element } from "./elements.js";

const MOST_MESSAGES = 30;

export class Announcer {
  /** @param {HTMLElement} log a live region with role="log": what is added to it is read out */
  constructor(log) {
    this.log = log;
  }

  /** @param {string} words */
  say(words) {
    // The same words again are a message of their own, which one node's text would not be.
    this.log.append(element("p", { text: words }));
    while (this.log.children.length > MOST_MESSAGES) this.log.firstElementChild.remove();
  }
}
