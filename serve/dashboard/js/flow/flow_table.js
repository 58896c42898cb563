// The flow as a table: each arrow of the picture with its figures, and the ledger of each stage.

import { element } from "../elements.js";
import { count, rate } from "../format.js";
import { scroller, tableHead } from "../table_head.js";
import { ACCOUNTS, boxesOf, placeName } from "./stages.js";

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
  records: "records in",
  samples: "samples in",
  ticks: "ticks of the clock",
  duplicates: "duplicates left out",
  dead_letters: "kept as dead letters",
  not_a_number: "not a number",
  skipped: "came after their successors",
};

export class FlowTable {
  constructor() {
    this.rows = element("tbody");
    this.ledger = element("ul", { class: "ledgers", "aria-label": "The ledger" });
    this.node = element(
      "details",
      { class: "more" },
      element("summary", { text: "The same as a table" }),
      scroller(
        "The flow as a table",
        {},
        element("table", { class: "figures listing flow-table" }, tableHead(COLUMNS), this.rows),
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
    const accounts = boxesOf(stages).filter(({ name, counts }) => ACCOUNTS[name]?.[0] in counts);
    const said = JSON.stringify(accounts.map(({ name, counts }) => [name, counts]));
    if (said === this.saidLedger) return;
    this.saidLedger = said;
    this.ledger.replaceChildren(...accounts.map(account));
  }
}

/** frames in = transformed + duplicates + ..., and what is missing. */
function account({ name, counts }) {
  const [total, parts] = ACCOUNTS[name];
  const values = parts.map((part) => counts[part] ?? 0);
  const rest = counts[total] - values.reduce((a, b) => a + b, 0);
  const terms = parts.flatMap((part, index) => [
    element("span", { class: "ledger-sign", text: index === 0 ? "=" : "+" }),
    term(COUNTS_SAY[part] ?? part, values[index]),
  ]);
  if (rest !== 0) {
    terms.push(element("span", { class: "ledger-sign", text: rest > 0 ? "+" : "−" }));
    terms.push(term(rest > 0 ? "lost" : "counted twice", Math.abs(rest)));
  }
  return element(
    "li",
    { class: "ledger", "data-balanced": String(rest === 0) },
    element("span", { class: "ledger-name", text: name }),
    term(COUNTS_SAY[total] ?? total, counts[total]),
    ...terms,
  );
}

function term(words, value) {
  return element(
    "span",
    { class: "ledger-term" },
    element("strong", { text: count(value) }),
    element("span", { text: ` ${words}` }),
  );
}

function row(stage) {
  const known = (value, text) =>
    element("td", { text: (value ?? null) === null ? "–" : text(value) });
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
