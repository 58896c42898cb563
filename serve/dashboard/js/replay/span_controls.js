// Which span of a session is shown: buttons that zoom and move, and the span in words.

import { element, setText } from "../elements.js";
import { duration, fixed, timeOfDay } from "../format.js";
import { moved, zoomed } from "./replay_range.js";

export class SpanControls {
  /** @param {(change: (range: [number, number], whole: [number, number]) => [number, number])
   *   => void} change */
  constructor(change) {
    const button = (text, label, how) =>
      element("button", {
        type: "button",
        class: "plain-button",
        text,
        "aria-label": label,
        title: label,
        click: () => change(how),
      });
    this.out = button("−", "Zoom out", (range, whole) => zoomed(range, whole, 2));
    this.whole = button("Whole session", "Whole session", (_range, whole) => whole);
    this.words = element("span", { class: "replay-span" });
    this.node = element(
      "div",
      { class: "toolbar", role: "group", "aria-label": "Which span is shown" },
      button("+", "Zoom in", (range, whole) => zoomed(range, whole, 0.5)),
      this.out,
      button("‹", "Earlier", (range, whole) => moved(range, whole, -0.5)),
      button("›", "Later", (range, whole) => moved(range, whole, 0.5)),
      this.whole,
      this.words,
    );
  }

  /** @param {[number, number]} range seconds @param {[number, number]} whole */
  show([from, to], whole) {
    const seconds = to - from;
    this.whole.disabled = this.out.disabled = seconds >= whole[1] - whole[0] - 1e-6;
    const length = seconds < 60 ? `${fixed(seconds, 1)} s` : duration(seconds);
    setText(this.words, `${timeOfDay(from)} to ${timeOfDay(to)}, ${length}`);
  }
}
