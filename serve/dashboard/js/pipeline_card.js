// One pipeline: slots, lag, rates, last commit, alarm, and what each partition does.

import { element, setAttribute, setText } from "./elements.js";
import { count, rate, span } from "./format.js";
import { Trend } from "./trend.js";

const PARTITION_COLUMNS = ["Partition", "Slot", "Next offset", "End", "Lag", "Last commit"];
const FIGURES = [
  ["Slots", (pipeline) => `${pipeline.running_slots} of ${pipeline.slots}`],
  ["Lag", (pipeline) => count(pipeline.lag), "records"],
  ["Records", (pipeline) => rate(pipeline.records_per_s), "/s"],
  ["Samples", (pipeline) => rate(pipeline.samples_per_s), "/s"],
  ["Last commit", (pipeline, serverMs) => ago(pipeline.last_commit_us, serverMs)],
  ["Generation", (pipeline) => count(pipeline.generation)],
];

function ago(microseconds, serverMs) {
  if (!Number.isFinite(microseconds) || microseconds === 0) return "never";
  const seconds = (serverMs - microseconds / 1000) / 1000;
  return seconds < 1 ? "just now" : `${span(seconds)} ago`;
}

export class PipelineCard {
  /** @param {string} name */
  constructor(name) {
    this.state = element("span", { class: "state-label" });
    this.alarm = element("p", { class: "alarm", role: "alert", hidden: true });
    this.figures = FIGURES.map(([title, , unit]) => this.#figure(title, unit));
    this.samples = new Trend("Samples since this page opened", "/s");
    this.lag = new Trend("Lag since this page opened", "records");
    this.counts = element("dl", { class: "facts counts" });
    this.partitions = element("tbody");
    this.node = element(
      "article",
      { class: "card pipeline", "aria-label": name },
      element(
        "header",
        { class: "card-head" },
        element("h3", { class: "card-name", text: name }),
        element("span", { class: "state" }, element("span", { class: "dot" }), this.state),
      ),
      this.alarm,
      element("dl", { class: "key-figures" }, ...this.figures.map((figure) => figure.node)),
      element("div", { class: "trends" }, this.samples.node, this.lag.node),
      this.#more("Partitions", this.#table()),
      this.#more("Counts since the beginning", this.counts),
    );
  }

  /** @param {object} pipeline of /api/v1/pipelines @param {number} serverMs the server's clock */
  show(pipeline, serverMs) {
    setAttribute(this.node, "data-state", pipeline.alarm ? "alarm" : pipeline.state);
    setText(this.state, pipeline.state);
    setText(this.alarm, pipeline.alarm ?? "");
    this.alarm.hidden = !pipeline.alarm;
    FIGURES.forEach(([, value], index) =>
      setText(this.figures[index].value, value(pipeline, serverMs)),
    );
    this.samples.add(serverMs / 1000, pipeline.samples_per_s);
    this.lag.add(serverMs / 1000, pipeline.lag);
    this.#showPartitions(pipeline.partitions, serverMs);
    this.#showCounts(pipeline.counts);
  }

  restyle() {
    this.samples.restyle();
    this.lag.restyle();
  }

  #figure(title, unit) {
    const value = element("span", { class: "key-value" });
    const node = element(
      "div",
      { class: "key-figure" },
      element("dt", { text: title }),
      element("dd", {}, value, element("span", { class: "key-unit", text: unit ?? "" })),
    );
    return { value, node };
  }

  #more(title, content) {
    return element("details", { class: "more" }, element("summary", { text: title }), content);
  }

  #table() {
    const head = PARTITION_COLUMNS.map((name) => element("th", { scope: "col", text: name }));
    return element(
      "div",
      { class: "scroller", tabindex: "0", role: "group", "aria-label": "Partitions" },
      element(
        "table",
        { class: "figures" },
        element("thead", {}, element("tr", {}, ...head)),
        this.partitions,
      ),
    );
  }

  #showPartitions(partitions, serverMs) {
    while (this.partitions.rows.length > partitions.length) this.partitions.deleteRow(-1);
    partitions.forEach((partition, index) => {
      const row = this.partitions.rows[index] ?? this.#addRow();
      const texts = [
        count(partition.partition),
        count(partition.slot),
        count(partition.next_offset),
        count(partition.end_offset),
        count(partition.lag),
        ago(partition.last_commit_us, serverMs),
      ];
      texts.forEach((text, column) => setText(row.children[column], text));
    });
  }

  #addRow() {
    const cells = PARTITION_COLUMNS.map((_name, column) =>
      column === 0 ? element("th", { scope: "row" }) : element("td"),
    );
    const row = element("tr", {}, ...cells);
    this.partitions.append(row);
    return row;
  }

  #showCounts(counts) {
    const names = Object.keys(counts);
    if (this.counts.children.length !== names.length) {
      this.counts.replaceChildren(
        ...names.map((name) =>
          element(
            "div",
            { class: "fact" },
            element("dt", { text: name.replaceAll("_", " ") }),
            element("dd"),
          ),
        ),
      );
    }
    names.forEach((name, index) => {
      const [title, value] = this.counts.children[index].children;
      setText(title, name.replaceAll("_", " "));
      setText(value, count(counts[name]));
    });
  }
}
