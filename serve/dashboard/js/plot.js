// One uPlot chart of one quantity of one sensor.

import uPlot from "/vendor/uplot/uPlot.esm.js";
import { AxisRange, extent } from "./axis_range.js";
import { element, setText } from "./elements.js";
import { fixed, timeOfDay } from "./format.js";
import { axisLook, nameCanvas, plotCaption } from "./plot_frame.js";
import { resolvedColour } from "./theme.js";

const Y_AXIS_PX = 40;
const X_AXIS_PX = 23;
const TIME_LABEL_PX = 74;
const VALUE_LABEL_PX = 17;
const LEGEND_EVERY_MS = 150;
const TIME_STEPS_S = [1, 2, 5, 10, 15, 30, 60];

/** Multiples of a round number of seconds, far enough apart for their labels. */
function timeSplits(plot, _axis, from, to) {
  const room = Math.max(1, plot.bbox.width / devicePixelRatio / TIME_LABEL_PX);
  const step = TIME_STEPS_S.find((seconds) => (to - from) / seconds <= room) ?? 60;
  const splits = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) splits.push(at);
  return splits;
}

/** Times of day; none so near the right edge that it would be cut. */
function timeLabels(plot, splits) {
  const { min, max } = plot.scales.x;
  const last = max - ((max - min) * TIME_LABEL_PX) / 3 / plot.width;
  return splits.map((time) => (time < last ? timeOfDay(time) : null));
}

/** Multiples of the axis's step, fewer where their labels would touch. */
function valueSplits(plot, step, low, high) {
  const lines = Math.round((high - low) / step);
  const room = Math.max(1, Math.floor(plot.bbox.height / devicePixelRatio / VALUE_LABEL_PX));
  const every = Math.ceil(lines / room);
  const splits = [];
  for (let index = Math.round(low / step); index * step <= high + step / 2; index += 1) {
    if (index % every === 0) splits.push(index * step);
  }
  return splits;
}

/** As many decimals as the step between the labels has. */
export function valueLabels(_plot, splits) {
  const step = splits.length > 1 ? splits[1] - splits[0] : 1;
  const decimals = Math.max(0, Math.min(3, Math.ceil(-Math.log10(step) - 1e-9)));
  return splits.map((value) => fixed(value, decimals));
}

export class Plot {
  /** @param {object} quantity of quantities.js @param {import("./trace.js").Trace} trace */
  constructor(quantity, trace) {
    this.quantity = quantity;
    this.trace = trace;
    this.spanS = 10;
    this.names = quantity.series.map((series) => series.column);
    this.range = new AxisRange(quantity.smallest, quantity.fromZero);
    this.legendAtMs = 0;
    this.#build();
  }

  get width() {
    return this.host.clientWidth;
  }

  /** Draws the last `spanS` seconds before the right edge. */
  draw(nowMs, edge) {
    if (!this.chart || !Number.isFinite(edge)) return;
    const from = edge - this.spanS;
    const data = this.trace.ring.view(this.names, from);
    const [low, high] = this.range.fit(...extent(data.slice(1)), nowMs);
    this.chart.batch(() => {
      this.chart.setData(data, false);
      this.chart.setScale("x", { min: from, max: edge });
      this.chart.setScale("y", { min: low, max: high });
    });
    if (nowMs - this.legendAtMs > LEGEND_EVERY_MS) this.#showValues();
  }

  /** Makes the chart anew, in the colours of the theme and the size of the host. */
  restyle() {
    this.chart?.destroy();
    this.chart = this.#chart();
    this.#describe();
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.host;
    if (width === 0 || height === 0) return;
    if (!this.chart) this.restyle();
    else if (this.chart.width !== width || this.chart.height !== height) {
      this.chart.setSize({ width, height });
    }
  }

  destroy() {
    this.chart?.destroy();
  }

  #build() {
    const { caption, values } = plotCaption(this.quantity);
    this.values = values;
    this.host = element("div", { class: "plot-canvas" });
    this.node = element(
      "figure",
      {
        class: "plot",
        "data-quantity": this.quantity.key,
        "data-size": this.quantity.series.length > 1 ? "full" : "low",
      },
      caption,
      this.host,
    );
  }

  #describe() {
    nameCanvas(this.host, `${this.quantity.title} in ${this.quantity.unit}, live`);
  }

  #chart() {
    const axis = axisLook();
    const options = {
      width: this.host.clientWidth,
      height: this.host.clientHeight,
      legend: { show: false },
      padding: [6, 4, 0, 0],
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 5 } },
      scales: { x: { time: false, auto: false }, y: { auto: false } },
      axes: [
        {
          ...axis,
          size: X_AXIS_PX,
          gap: 7,
          splits: timeSplits,
          values: timeLabels,
        },
        {
          ...axis,
          size: Y_AXIS_PX,
          gap: 4,
          values: valueLabels,
          splits: (plot, _axis, low, high) => valueSplits(plot, this.range.step, low, high),
        },
      ],
      hooks: { setCursor: [(chart) => chart === this.chart && this.#showValues()] },
      series: [{}, ...this.quantity.series.map(({ colour }) => this.#series(colour))],
    };
    return new uPlot(options, [[], ...this.names.map(() => [])], this.host);
  }

  #series(colour) {
    return {
      stroke: resolvedColour(colour),
      width: 1.25,
      points: { show: false },
      gaps: (plot) =>
        this.trace
          .holesAfter(plot.scales.x.min)
          .map(([from, to]) => [plot.valToPos(from, "x", true), plot.valToPos(to, "x", true)]),
    };
  }

  /** The values under the pointer, or the newest. */
  #showValues() {
    this.legendAtMs = performance.now();
    const index = this.chart.cursor.left >= 0 ? this.chart.cursor.idx : null;
    this.names.forEach((name, position) => {
      const hovered = index === null ? undefined : this.chart.data[position + 1][index];
      const value = hovered ?? this.trace.ring.last(name);
      setText(this.values[position], fixed(value, this.quantity.decimals));
    });
  }
}
