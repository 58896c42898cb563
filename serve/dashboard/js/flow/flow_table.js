// The flow as a table: each arrow of the picture with its figures, and the ledger of each stage.

import { element } from "../elements.js";
import { count, rate } from "../format.js";
import { boxesOf, placeName } from "./stages.js";

const COLUMNS = [
  ["Stage", ""],
  ["From", ""],
  ["To", ""],
  ["Records", "/s"],
  ["Samples", "/s"],
  ["Lag", "records"],
  ["Lost", ""],
  ["Doubled", ""],
];

/** What the parts of a ledger say that are no plain words. */
const COUNTS_SAY = {
  frames: "frames in",
  transformed: "transformed",
  duplicates: "duplicates left out",
  heartbeats: "heartbeats",
  dead_letters: "kept as dead letters",
};
/** For every partition at every commit, the first is the sum of the others. */
const BALANCE = ["frames", "transformed", "duplicates", "heartbeats", "dead_letters"];

export class FlowTable {
  constructor() {
    this.rows = element("tbody");
    this.ledger = element("p", { class: "ledger" });
    const heads = COLUMNS.map(([title, unit]) =>
      element(
        "th",
        { scope: "col" },
        element("span", { text: title }),
        unit ? element("span", { class: "column-unit", text: unit }) : "",
      ),
    );
    this.node = element(
      "details",
      { class: "more" },
      element("summary", { text: "The same as a table" }),
      element(
        "div",
        { class: "scroller", tabindex: "0", role: "group", "aria-label": "The flow as a table" },
        element(
          "table",
          { class: "figures listing flow-table" },
          element("thead", {}, element("tr", {}, ...heads)),
          this.rows,
        ),
      ),
    );
  }

  /** @param {object[]} stages of /api/v1/flow */
  show(stages) {
    this.#showLedger(stages);
    const said = JSON.stringify(stages);
    if (said === this.said) return;
    this.said = said;
    this.rows.replaceChildren(...stages.map(row));
  }

  #showLedger(stages) {
    const box = boxesOf(stages).find((each) => BALANCE.every((name) => name in each.counts));
    this.ledger.hidden = box === undefined;
    if (box === undefined) return;
    const [total, ...parts] = BALANCE.map((name) => box.counts[name]);
    const rest = total - parts.reduce((a, b) => a + b, 0);
    const term = (name, value) =>
      element(
        "span",
        { class: "ledger-term" },
        element("strong", { text: count(value) }),
        element("span", { text: COUNTS_SAY[name] ?? name }),
      );
    const sign = (text) => element("span", { class: "ledger-sign", text });
    const said = JSON.stringify(box.counts);
    if (said === this.saidLedger) return;
    this.saidLedger = said;
    this.ledger.dataset.balanced = String(rest === 0);
    this.ledger.replaceChildren(
      term("frames", total),
      ...BALANCE.slice(1).flatMap((name, index) => [
        sign(index === 0 ? "=" : "+"),
        term(name, parts[index]),
      ]),
      ...(rest === 0 ? [] : [sign("+"), term(rest > 0 ? "lost" : "counted twice", Math.abs(rest))]),
    );
  }
}

function row(stage) {
  const known = (value, text) => element("td", { text: (value ?? null) === null ? "–" : text(value) });
  const places = (value) => [value].flat().map(placeName).join(", ");
  return element(
    "tr",
    { "data-bad": stage.lost > 0 || stage.doubled > 0 },
    element("th", { scope: "row", text: stage.name }),
    element("td", { text: places(stage.from) }),
    element("td", { text: places(stage.to) }),
    known(stage.records_per_s, rate),
    known(stage.samples_per_s, rate),
    known(stage.lag, count),
    known(stage.lost, count),
    known(stage.doubled, count),
  );
}
