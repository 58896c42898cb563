// The list of dead letters: one row each, the first cell opens it.

import { element, setAttribute, setText } from "../elements.js";
import { count, dateTime } from "../format.js";
import { scroller, tableHead } from "../table_head.js";
import { reasonWords } from "./reasons.js";

const COLUMNS = [
  ["Failed", ""],
  ["Sensor", ""],
  ["Reason", ""],
  ["Pipeline", ""],
  ["Size", "bytes"],
  ["Redriven", ""],
];

export class LetterTable {
  /** @param {(place: string) => void} choose called with "partition/offset" */
  constructor(choose) {
    this.choose = choose;
    this.rows = element("tbody");
    this.node = scroller(
      "Dead letters, the newest first",
      { class: "card table-card", hidden: true },
      element("table", { class: "figures listing letters-table" }, tableHead(COLUMNS), this.rows),
    );
  }

  /** @param {object[]} letters of the api */
  show(letters) {
    while (this.rows.rows.length > letters.length) this.rows.deleteRow(-1);
    letters.forEach((letter, index) => fill(this.rows.rows[index] ?? this.#addRow(), letter));
  }

  /** @param {string} chosen the place of the one that is inspected, or "" */
  mark(chosen) {
    for (const row of this.rows.rows) {
      row.classList.toggle("is-chosen", chosen !== "" && row.dataset.place === chosen);
    }
  }

  #addRow() {
    const button = element("button", { type: "button", class: "sensor-link" });
    const row = element(
      "tr",
      {},
      element("th", { scope: "row" }, button),
      ...COLUMNS.slice(1).map(() => element("td")),
    );
    button.addEventListener("click", () => this.choose(row.dataset.place));
    this.rows.append(row);
    return row;
  }
}

function fill(row, letter) {
  setAttribute(row, "data-place", `${letter.partition}/${letter.offset}`);
  const [failed, ...others] = row.children;
  setText(failed.firstElementChild, dateTime(letter.failed_us));
  setAttribute(failed.firstElementChild, "title", "Show its bytes");
  const texts = [
    letter.sensor_id ?? "unknown",
    reasonWords(letter.reason),
    letter.pipeline,
    count(letter.bytes),
    letter.redriven ? "yes" : "no",
  ];
  texts.forEach((text, index) => setText(others[index], text));
  setAttribute(others[1], "title", letter.detail ?? "");
}
