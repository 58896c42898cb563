// Why there are dead letters, and how many for each reason: buttons that filter.

import { element, setAttribute, setText } from "../elements.js";
import { count } from "../format.js";
import { reasonWords } from "./reasons.js";

export class ReasonChoices {
  /** @param {(reason: string) => void} choose called with "" for all */
  constructor(choose) {
    this.choose = choose;
    this.node = element("div", { class: "choice-chips", role: "group", "aria-label": "Reason" });
    /** How many there were of each when it was last looked at: a filter hides the others. */
    this.reasons = {};
  }

  /** @param {Object<string, number>} reasons of the letters looked at @param {string} chosen */
  show(reasons, chosen) {
    this.reasons = { ...this.reasons, ...reasons };
    const names = Object.keys(this.reasons).sort((a, b) => this.reasons[b] - this.reasons[a]);
    if (chosen && !names.includes(chosen)) names.push(chosen);
    const wanted = ["", ...names];
    while (this.node.children.length > wanted.length) this.node.lastElementChild.remove();
    wanted.forEach((name, index) => {
      const button = this.node.children[index] ?? this.#add();
      setAttribute(button, "data-reason", name);
      setAttribute(button, "aria-pressed", String(name === chosen));
      setAttribute(button, "title", name ? "Among those looked at so far" : "");
      setText(button.firstElementChild, name ? reasonWords(name) : "All");
      setText(button.lastElementChild, name ? count(this.reasons[name] ?? 0) : "");
    });
  }

  #add() {
    const button = element(
      "button",
      { type: "button", class: "choice-chip", click: () => this.choose(button.dataset.reason) },
      element("span"),
      element("span", { class: "choice-count" }),
    );
    this.node.append(button);
    return button;
  }
}
