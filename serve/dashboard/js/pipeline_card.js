// One pipeline: slots, lag, rates, last commit, alarm, and what each partition does.

import { element, setAttribute, setText } from "./elements.js";
import { count, rate, span } from "./format.js";
import { PipelineSwitch } from "./pipeline_switch.js";
import { Trend } from "./trend.js";

const PARTITION_COLUMNS = ["Partition", "Slot", "Next offset", "End", "Lag", "Last commit"];
const SAMPLES = "Samples";
const FIGURES = [
  ["Slots", (pipeline) => `${pipeline.running_slots} of ${pipeline.slots}`],
  ["Lag", (pipeline) => count(pipeline.lag), "records"],
  ["Records", (pipeline) => rate(pipeline.records_per_s), "/s"],
  [SAMPLES, (pipeline) => rate(pipeline.samples_per_s), "/s"],
  ["Last commit", (pipeline, serverMs) => ago(pipeline.last_commit_us, serverMs)],
  ["Generation", (pipeline) => count(pipeline.generation)],
];

function ago(microseconds, serverMs) {
  if (!Number.isFinite(microseconds) || microseconds === 0) return "never";
  const seconds = (serverMs - microseconds / 1000) / 1000;
  return seconds < 1 ? "just now" : `${span(seconds)} ago`;
}

export class PipelineCard {
  /**
   * @param {string} name
   * @param {import("./page_context.js").PageContext} page
   * @param {() => void} changed
   */
  constructor(name, page, changed) {
    this.switch = new PipelineSwitch(name, page, changed);
    this.state = element("span", { class: "state-label" });
    this.alarm = element("p", { class: "alarm", role: "alert", hidden: true });
    this.figures = FIGURES.map(([title, , unit]) => this.#figure(title, unit));
    /** Of samples or of records: known with the first counts. @type {Trend|null} */
    this.rate = null;
    this.lag = new Trend("Lag since this page opened", "records");
    this.trends = element("div", { class: "trends" }, this.lag.node);
    this.counts = element("dl", { class: "facts counts" });
    this.partitions = element("tbody");
    this.node = element(
      "article",
      { class: "card pipeline", "aria-label": name, tabindex: "-1" },
      element(
        "header",
        { class: "card-head" },
        element("h3", { class: "card-name", text: name }),
        element("span", { class: "state" }, element("span", { class: "dot" }), this.state),
        this.switch.node,
      ),
      this.alarm,
      element("dl", { class: "key-figures" }, ...this.figures.map((figure) => figure.node)),
      this.trends,
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
    this.switch.show(pipeline.paused);
    FIGURES.forEach(([, value], index) =>
      setText(this.figures[index].value, value(pipeline, serverMs)),
    );
    this.#showRate(pipeline, serverMs);
    this.lag.add(serverMs / 1000, pipeline.lag);
    this.#showPartitions(pipeline.partitions, serverMs);
    this.#showCounts(pipeline.counts);
  }

  restyle() {
    this.rate?.restyle();
    this.lag.restyle();
  }

  /** Not every pipeline reads samples: the others count records. */
  #showRate(pipeline, serverMs) {
    const reads = "samples" in pipeline.counts;
    FIGURES.forEach(([title], index) => {
      if (title === SAMPLES) this.figures[index].node.hidden = !reads;
    });
    if (this.rate === null) {
      if (Object.keys(pipeline.counts).length === 0) return;
      this.rate = new Trend(`${reads ? SAMPLES : "Records"} since this page opened`, "/s");
      this.trends.prepend(this.rate.node);
    }
    this.rate.add(serverMs / 1000, reads ? pipeline.samples_per_s : pipeline.records_per_s);
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
    const several = new Set(partitions.map((partition) => partition.topic)).size > 1;
    while (this.partitions.rows.length > partitions.length) this.partitions.deleteRow(-1);
    partitions.forEach((partition, index) => {
      const row = this.partitions.rows[index] ?? this.#addRow();
      const texts = [
        several ? `${partition.topic}/${partition.partition}` : count(partition.partition),
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
