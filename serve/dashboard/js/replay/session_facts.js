// What a session was, as a few large figures.

import { element, setText } from "../elements.js";
import { count, dateTime, distance, duration, fixed } from "../format.js";

const FACTS = [
  ["Started", (session) => dateTime(session.start_us), ""],
  ["Lasted", (session) => duration((session.end_us - session.start_us) / 1e6), ""],
  ["Samples", (session) => count(session.samples), ""],
  ["Gaps", (session) => count(session.gaps), ""],
  ["Largest acceleration", (session) => fixed(session.acc_mag_max, 2), "g"],
  ["Largest velocity", (session) => fixed(session.velocity_max ?? NaN, 2), "m/s"],
  ["Distance", (session) => distance(session.distance_m ?? NaN), "m"],
];

export class SessionFacts {
  constructor() {
    this.values = FACTS.map(() => element("span", { class: "key-value" }));
    this.node = element(
      "dl",
      { class: "key-figures card replay-facts" },
      ...FACTS.map(([name, , unit], index) =>
        element(
          "div",
          { class: "key-figure" },
          element("dt", { text: name }),
          element("dd", {}, this.values[index], element("span", { class: "key-unit", text: unit })),
        ),
      ),
    );
  }

  /** @param {object} session of the api */
  show(session) {
    FACTS.forEach(([, value], index) => setText(this.values[index], value(session)));
  }
}
