// What the api knows of one sensor, as names and values.

import { element, setText } from "../elements.js";
import { count, dateTime, rate } from "../format.js";
import { clockOffset } from "../wording.js";

const FACTS = [
  ["State", (sensor) => sensor.state],
  ["Rate", (sensor) => `${rate(sensor.rate_hz)} Hz`],
  ["Samples", (sensor) => count(sensor.samples)],
  ["Gaps", (sensor) => count(sensor.gaps)],
  ["Duplicates", (sensor) => count(sensor.duplicates)],
  ["Late", (sensor) => count(sensor.late)],
  ["Dead letters", (sensor) => count(sensor.dead_letters)],
  ["Boots", (sensor) => count(sensor.boot + 1)],
  ["Clock steps", (sensor) => count(sensor.clock_steps)],
  ["Device clock", (sensor) => clockOffset(sensor.clock_offset_us) ?? "right within 5 s"],
  ["Newest sample", (sensor) => dateTime(sensor.last_timestamp_us)],
];

export class SensorFacts {
  constructor() {
    this.values = FACTS.map(() => element("dd"));
    this.node = element(
      "dl",
      { class: "facts" },
      ...FACTS.map(([name], index) =>
        element("div", { class: "fact" }, element("dt", { text: name }), this.values[index]),
      ),
    );
  }

  /** @param {object|undefined} sensor of /api/v1/sensors; nothing is shown of an unknown one */
  show(sensor) {
    this.node.hidden = sensor === undefined;
    if (sensor === undefined) return;
    FACTS.forEach(([, value], index) => setText(this.values[index], value(sensor)));
  }
}
