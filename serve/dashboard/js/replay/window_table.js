// The motion windows of a session as figures; a row shows its window in the plots.

import { element, setText } from "../elements.js";
import { count, fixed, timeOfDay } from "../format.js";
import { scroller, tableHead } from "../table_head.js";

const MOST_ROWS = 200;
const COLUMNS = [
  ["From", ""],
  ["Samples", ""],
  ["Gaps", ""],
  ["Acceleration rms", "g"],
  ["Acceleration max", "g"],
  ["Rotation rms", "rad/s"],
  ["Rotation max", "rad/s"],
];

export class WindowTable {
  /** @param {(range: [number, number]) => void} chosen */
  constructor(chosen) {
    this.chosen = chosen;
    this.rows = element("tbody");
    this.note = element("p", { class: "quiet-note" });
    this.node = element(
      "details",
      { class: "more replay-windows" },
      element("summary", { text: "Motion windows, 2 s each" }),
      this.note,
      scroller(
        "Motion windows",
        {},
        element("table", { class: "figures listing" }, tableHead(COLUMNS), this.rows),
      ),
    );
  }

  /** @param {object[]} windows in the order of time @param {string} note what is missing */
  show(windows, note) {
    const shown = windows.slice(0, MOST_ROWS);
    const cut = shown.length < windows.length ? `The first ${count(MOST_ROWS)} are listed.` : "";
    const none = windows.length === 0 ? "No window of this session is kept any more." : "";
    setText(this.note, [none, note, cut].filter(Boolean).join(" "));
    this.rows.replaceChildren(...shown.map((window) => this.#row(window)));
  }

  #row(window) {
    const [start, end] = [window.start_us / 1e6, window.end_us / 1e6];
    const show = element("button", {
      type: "button",
      class: "sensor-link",
      text: timeOfDay(start),
      title: "Show this window in the plots",
      click: () => this.chosen([start - (end - start), end + (end - start)]),
    });
    const texts = [
      count(window.samples),
      count(window.gaps),
      fixed(window.acc_mag_rms, 2),
      fixed(window.acc_mag_max, 2),
      fixed(window.gyro_mag_rms, 2),
      fixed(window.gyro_mag_max, 2),
    ];
    return element(
      "tr",
      { "data-gaps": window.gaps > 0 },
      element("th", { scope: "row" }, show),
      ...texts.map((text) => element("td", { text })),
    );
  }
}
