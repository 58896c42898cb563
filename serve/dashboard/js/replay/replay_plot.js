// One plot of a session: down-sampled lines over the bands of its windows.

import uPlot from "/vendor/uplot/uPlot.esm.js";
import { extent } from "../axis_range.js";
import { element, setText } from "../elements.js";
import { fixed, timeOfDay } from "../format.js";
import { valueLabels } from "../plot.js";
import { axisLook, nameCanvas, plotCaption } from "../plot_frame.js";
import { resolvedColour } from "../theme.js";

const Y_AXIS_PX = 46;
const X_AXIS_PX = 24;
const RIGHT_PX = 12;
const LEAST_DRAG_PX = 6;
/** Narrower bands would be a grey haze. */
const LEAST_BAND_PX = 4;
/** So that the pointers of the plots of one session move together. */
const POINTER = uPlot.sync("replay");
const POINTER_TYPES = ["mousemove", "mouseleave"];

export class ReplayPlot {
  /**
   * @param {object} quantity of quantities.js
   * @param {{zoomed: (range: [number, number]) => void}} handlers
   */
  constructor(quantity, handlers) {
    this.quantity = quantity;
    this.handlers = handlers;
    this.data = [[], ...quantity.series.map(() => [])];
    this.range = [0, 1];
    this.windows = [];
    this.holes = [];
    this.#build();
    this.sizes = new ResizeObserver(() => this.#resize());
    this.sizes.observe(this.host);
  }

  get width() {
    return this.host.clientWidth;
  }

  /** @param {object} columns of the api, timestamp_us among them */
  setColumns(columns) {
    this.data = [
      columns.timestamp_us.map((at) => at / 1e6),
      ...this.quantity.series.map((series) => columns[series.column] ?? []),
    ];
    this.#draw();
  }

  /** @param {object[]} windows in the order of time @param {[number, number][]} holes */
  setWindows(windows, holes) {
    this.windows = windows;
    this.holes = holes;
    this.chart?.redraw(false);
  }

  /** @param {[number, number]} range seconds on the device's clock */
  setRange(range) {
    this.range = range;
    this.#draw();
  }

  restyle() {
    this.chart?.destroy();
    this.chart = null;
    this.#resize();
  }

  destroy() {
    this.sizes.disconnect();
    this.chart?.destroy();
  }

  #build() {
    const { caption, values } = plotCaption(this.quantity);
    this.values = values;
    this.host = element("div", { class: "replay-canvas" });
    this.node = element(
      "figure",
      { class: "plot replay-plot", "data-quantity": this.quantity.key },
      caption,
      this.host,
    );
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.host;
    if (width === 0 || height === 0) return;
    if (this.chart) this.chart.setSize({ width, height });
    else {
      this.colours = {
        band: resolvedColour("--band"),
        gap: resolvedColour("--band-gap"),
        hole: resolvedColour("--band-hole"),
      };
      this.chart = new uPlot(this.#options(width, height), this.data, this.host);
      nameCanvas(
        this.host,
        `${this.quantity.title} in ${this.quantity.unit} over the session; the table of windows ` +
          "says it in figures",
      );
    }
    this.#draw();
  }

  #draw() {
    if (!this.chart) return;
    const [low, high] = this.#limits();
    this.chart.batch(() => {
      this.chart.setData(this.data, false);
      this.chart.setScale("x", { min: this.range[0], max: this.range[1] });
      this.chart.setScale("y", { min: low, max: high });
    });
  }

  #limits() {
    const { smallest, fromZero } = this.quantity;
    const [low, high] = extent(this.data.slice(1));
    if (!(low <= high)) return fromZero ? [0, smallest] : [-smallest / 2, smallest / 2];
    if (fromZero) return [0, Math.max(smallest, 1.05 * high)];
    const padding = Math.max(0.05 * (high - low), (smallest - (high - low)) / 2);
    return [low - padding, high + padding];
  }

  #options(width, height) {
    const axis = axisLook();
    return {
      width,
      height,
      legend: { show: false },
      padding: [6, RIGHT_PX, 0, 0],
      cursor: {
        y: false,
        points: { size: 5 },
        drag: { x: true, y: false, setScale: false },
        // The others follow the pointer, not what is dragged: each would zoom on its own.
        sync: { key: POINTER.key, filters: { pub: (type) => POINTER_TYPES.includes(type) } },
      },
      scales: { x: { time: true, auto: false }, y: { auto: false } },
      axes: [
        {
          ...axis,
          size: X_AXIS_PX,
          gap: 7,
          space: 84,
          values: (_chart, times) => times.map(timeOfDay),
        },
        {
          ...axis,
          size: Y_AXIS_PX,
          gap: 4,
          space: 28,
          values: valueLabels,
        },
      ],
      hooks: {
        drawClear: [(chart) => this.#drawBands(chart)],
        setCursor: [() => this.#showValues()],
        setSelect: [(chart) => this.#selected(chart)],
      },
      series: [
        {},
        ...this.quantity.series.map(({ colour }) => ({
          stroke: resolvedColour(colour),
          width: 1.25,
          points: { show: false },
          gaps: (chart) =>
            this.holes.map(([from, to]) => [
              chart.valToPos(from, "x", true),
              chart.valToPos(to, "x", true),
            ]),
        })),
      ],
    };
  }

  /** Every other window is shaded; one with gaps, and a hole between windows, in its own colour. */
  #drawBands(chart) {
    const { ctx, bbox } = chart;
    const [from, to] = this.range;
    const pixelsPerS = bbox.width / (to - from);
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    const paint = (start, end, colour) => {
      if (end <= from || start >= to) return;
      const left = chart.valToPos(start, "x", true);
      ctx.fillStyle = colour;
      ctx.fillRect(left, bbox.top, Math.max(1, (end - start) * pixelsPerS), bbox.height);
    };
    this.windows.forEach((window, index) => {
      const [start, end] = [window.start_us / 1e6, window.end_us / 1e6];
      if (window.gaps > 0) paint(start, end, this.colours.gap);
      else if (index % 2 === 0 && (end - start) * pixelsPerS > LEAST_BAND_PX) {
        paint(start, end, this.colours.band);
      }
    });
    for (const [start, end] of this.holes) paint(start, end, this.colours.hole);
    ctx.restore();
  }

  #selected(chart) {
    const { left, width } = chart.select;
    if (width < LEAST_DRAG_PX) return;
    chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.handlers.zoomed([chart.posToVal(left, "x"), chart.posToVal(left + width, "x")]);
  }

  #showValues() {
    const index = this.chart?.cursor.idx ?? null;
    this.values.forEach((node, position) => {
      const value = index === null ? NaN : (this.data[position + 1][index] ?? NaN);
      setText(node, fixed(value, this.quantity.decimals));
    });
  }
}
