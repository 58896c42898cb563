// A figure of a pipeline over the minutes since the page was opened.

import uPlot from "/vendor/uplot/uPlot.esm.js";
import { element } from "./elements.js";
import { count, timeOfDay } from "./format.js";
import { resolvedColour } from "./theme.js";

const MOST_POINTS = 300;
const HEIGHT_PX = 96;
const LEAST_SPAN_S = 60;
const Y_AXIS_PX = 56;
const X_AXIS_PX = 22;

/** Of what is drawn, not of the limits that the chart proposes: to one point it gives a day. */
function atLeastAMinute({ data: [times] }) {
  const last = times[times.length - 1] ?? LEAST_SPAN_S;
  return [Math.min(times[0] ?? 0, last - LEAST_SPAN_S), last];
}

export class Trend {
  /** @param {string} title @param {string} unit */
  constructor(title, unit) {
    this.times = [];
    this.values = [];
    this.host = element("div", { class: "trend-canvas" });
    this.node = element(
      "figure",
      { class: "trend" },
      element(
        "figcaption",
        { class: "plot-caption" },
        element("span", { class: "plot-title", text: title }),
        element("span", { class: "plot-unit", text: unit }),
      ),
      this.host,
    );
    new ResizeObserver(() => this.#resize()).observe(this.host);
  }

  /** @param {number} time seconds since the epoch @param {number|null} value null where unknown */
  add(time, value) {
    if (time <= this.times[this.times.length - 1]) return;
    this.times.push(time);
    this.values.push(value);
    if (this.times.length > MOST_POINTS) {
      this.times.shift();
      this.values.shift();
    }
    this.chart?.setData([this.times, this.values]);
  }

  /** Makes the chart anew in the colours of the theme. */
  restyle() {
    const width = this.host.clientWidth;
    if (width === 0) return;
    this.chart?.destroy();
    this.chart = new uPlot(this.#options(width), [this.times, this.values], this.host);
  }

  #resize() {
    const width = this.host.clientWidth;
    if (width === 0) return;
    if (this.chart) this.chart.setSize({ width, height: HEIGHT_PX });
    else this.restyle();
  }

  #options(width) {
    const axis = {
      stroke: resolvedColour("--axis-text"),
      font: `11px ${getComputedStyle(document.body).fontFamily}`,
      grid: { stroke: resolvedColour("--grid"), width: 1 },
      ticks: { show: false },
    };
    return {
      width,
      height: HEIGHT_PX,
      legend: { show: false },
      padding: [6, 28, 0, 0],
      cursor: { show: false },
      scales: {
        x: { time: true, range: atLeastAMinute },
        y: { range: (_chart, _low, high) => [0, Math.max(10, 1.15 * high)] },
      },
      axes: [
        { ...axis, size: X_AXIS_PX, gap: 6, space: 90, values: (_chart, at) => at.map(timeOfDay) },
        { ...axis, size: Y_AXIS_PX, gap: 4, space: 24, values: (_chart, at) => at.map(count) },
      ],
      series: [{}, { stroke: resolvedColour("--accent"), width: 1.5, points: { show: false } }],
    };
  }
}
