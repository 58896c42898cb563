// The focused sensor: its facts and its motion windows, as bars and as a table.

import { element, setText } from "./elements.js";
import { SensorFacts } from "./fleet/sensor_facts.js";
import { count, fixed, timeOfDay } from "./format.js";

const BARS = 30;
const ROWS = 20;
const STATISTICS = ["mean", "rms", "std", "max"];
const MAGNITUDES = [
  { key: "acc_mag", title: "Acceleration", unit: "g" },
  { key: "gyro_mag", title: "Rotation", unit: "rad/s" },
];
export class DetailsPanel {
  /** @param {HTMLElement} node @param {(sensorId: string) => void} open shows a sensor's sheet */
  constructor(node, open) {
    this.title = element("h2", { class: "panel-title" });
    this.facts = new SensorFacts();
    this.more = element("button", {
      type: "button",
      class: "plain-button",
      text: "Labels and commands",
      click: () => open(this.sensorId),
    });
    this.note = element("p", { class: "quiet-note" });
    this.charts = MAGNITUDES.map((magnitude) => this.#chart(magnitude));
    this.rows = element("tbody");
    this.table = this.#table();
    node.append(
      this.title,
      this.more,
      this.facts.node,
      element("h3", { class: "panel-subtitle", text: "Motion windows, 2 s each" }),
      this.note,
      ...this.charts.map((chart) => chart.node),
      this.table,
    );
  }

  /** @param {string|null} sensorId @param {object|undefined} summary */
  describe(sensorId, summary) {
    setText(this.title, sensorId ?? "No sensor chosen");
    this.sensorId = sensorId;
    this.more.hidden = summary === undefined;
    this.facts.show(summary);
  }

  /** @param {object[]} windows newest first, with flattened names such as acc_mag_rms */
  showWindows(windows) {
    const text = windows.length > 0 ? "" : "The next one shows when it closes, every 2 s.";
    setText(this.note, text);
    this.note.hidden = text === "";
    this.table.hidden = windows.length === 0;
    for (const chart of this.charts) this.#drawBars(chart, windows.slice(0, BARS).reverse());
    this.rows.replaceChildren(...windows.slice(0, ROWS).map((window) => this.#row(window)));
  }

  #chart(magnitude) {
    const bars = element("div", { class: "bars", "aria-hidden": "true" });
    for (let index = 0; index < BARS; index += 1) {
      bars.append(element("span", { class: "bar" }, element("span", { class: "bar-rms" })));
    }
    const scale = element("span", { class: "bars-scale" });
    const node = element(
      "div",
      { class: "bars-chart" },
      element(
        "p",
        { class: "bars-caption" },
        element("span", { class: "plot-title", text: magnitude.title }),
        element("span", { class: "plot-unit", text: magnitude.unit }),
        scale,
      ),
      bars,
    );
    return { ...magnitude, bars, scale, node };
  }

  /** Each bar reaches to the window's maximum, its solid part to the rms. */
  #drawBars(chart, windows) {
    chart.node.hidden = windows.length === 0;
    const highest = Math.max(0, ...windows.map((window) => window[`${chart.key}_max`]));
    const first = BARS - windows.length;
    [...chart.bars.children].forEach((bar, index) => {
      const window = windows[index - first];
      const share = (statistic) =>
        window && highest > 0 ? (100 * window[`${chart.key}_${statistic}`]) / highest : 0;
      bar.style.setProperty("--max", `${share("max")}%`);
      bar.style.setProperty("--rms", `${share("rms")}%`);
    });
    setText(chart.scale, `rms and max, up to ${fixed(highest, 2)}`);
  }

  #table() {
    const group = ({ title, unit }) =>
      element("th", { scope: "colgroup", colspan: STATISTICS.length, text: `${title}, ${unit}` });
    const columns = MAGNITUDES.flatMap(() =>
      STATISTICS.map((name) => element("th", { scope: "col", text: name })),
    );
    const head = element(
      "thead",
      {},
      element(
        "tr",
        {},
        element("th", { scope: "col", rowspan: 2, text: "From" }),
        ...MAGNITUDES.map(group),
        element("th", { scope: "col", rowspan: 2, text: "Gaps" }),
      ),
      element("tr", {}, ...columns),
    );
    const table = element(
      "table",
      { class: "figures" },
      element("caption", { class: "unseen", text: "Motion windows, newest first" }),
      head,
      this.rows,
    );
    return element(
      "div",
      { class: "scroller", tabindex: "0", role: "group", "aria-label": "Motion windows" },
      table,
    );
  }

  #row(window) {
    const figures = MAGNITUDES.flatMap(({ key }) =>
      STATISTICS.map((name) => element("td", { text: fixed(window[`${key}_${name}`], 2) })),
    );
    return element(
      "tr",
      {},
      element("th", { scope: "row", text: timeOfDay(window.start_us / 1e6) }),
      ...figures,
      element("td", { text: count(window.gaps) }),
    );
  }
}
