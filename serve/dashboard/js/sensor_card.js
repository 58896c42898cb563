// One chosen sensor on the screen: its name, what is wrong with it, and its plots.

import { element, setAttribute, setText } from "./elements.js";
import { rate } from "./format.js";
import { Plot } from "./plot.js";
import { QUANTITIES } from "./quantities.js";
import { clockOffset, silent } from "./wording.js";

const STATE_LABELS = {
  connecting: "connecting",
  live: "live",
  waiting: "waiting",
  stalled: "stalled",
  lost: "stream lost",
};

export class SensorCard {
  /**
   * @param {import("./sensor_feed.js").SensorFeed} feed
   * @param {{focus: () => void, remove: () => void}} handlers
   */
  constructor(feed, handlers) {
    this.feed = feed;
    this.visible = false;
    this.lastMs = performance.now();
    this.drawnEdge = NaN;
    this.secondsPerPixel = 0;
    this.plots = QUANTITIES.map((quantity) => new Plot(quantity, feed.traceOf(quantity)));
    this.node = this.#build(handlers);
  }

  /**
   * Draws the shown plots at one common right edge, once it has moved by a pixel; called by the
   * frame loop.
   *
   * @returns {boolean} whether it drew
   */
  draw(nowMs, calm) {
    const seconds = (nowMs - this.lastMs) / 1000;
    this.lastMs = nowMs;
    const playhead = this.feed.trace.playhead;
    const edge = calm ? playhead.settle() : playhead.advance(seconds);
    if (Math.abs(edge - this.drawnEdge) < this.secondsPerPixel) return false;
    this.drawnEdge = edge;
    for (const plot of this.plots) if (!plot.node.hidden) plot.draw(nowMs, edge);
    return true;
  }

  /** Shows the groups of quantities and the span that the reader chose. */
  arrange(groups, spanS) {
    this.spanS = spanS;
    for (const plot of this.plots) {
      plot.spanS = spanS;
      plot.node.hidden = !groups.includes(plot.quantity.group);
    }
    this.feed.wantPredictions(groups.includes("velocity"));
    this.node.dataset.groups = String(groups.length);
    this.resize();
  }

  /** Fits the charts to the card, and the stream to the charts. */
  resize() {
    for (const plot of this.plots) plot.resize();
    const width = Math.max(...this.plots.map((plot) => (plot.node.hidden ? 0 : plot.width)));
    this.secondsPerPixel = this.spanS / (width * devicePixelRatio);
    this.drawnEdge = NaN;
    this.feed.fit(width, this.spanS);
  }

  restyle() {
    for (const plot of this.plots) if (plot.chart) plot.restyle();
    this.drawnEdge = NaN;
  }

  /**
   * @param {number} nowMs
   * @param {import("./sensor_summaries.js").SensorSummaries} summaries
   */
  describe(nowMs, summaries) {
    const summary = summaries.get(this.feed.sensorId);
    const { kind, words } = this.#status(nowMs, summaries);
    this.kind = kind;
    setAttribute(this.node, "data-state", kind);
    setAttribute(this.node, "data-samples", String(this.feed.trace.samples));
    setAttribute(this.node, "data-predictions", String(this.feed.predicted.samples));
    setText(this.state, STATE_LABELS[kind]);
    setText(this.rate, summary ? `${rate(summary.rate_hz)} Hz` : "");
    const offset = clockOffset(summary?.clock_offset_us);
    setText(this.clockWords, offset ?? "");
    this.clock.hidden = offset === null;
    const troubles = [kind === "live" || kind === "connecting" ? null : words];
    troubles.push(this.feed.dropNotice(nowMs));
    const said = troubles.filter((text) => text !== null).join(" · ");
    setText(this.trouble, said);
    this.trouble.hidden = said === "";
  }

  /** The feed's state, with what the api knows of a sensor that has sent nothing here. */
  #status(nowMs, summaries) {
    const status = this.feed.status(nowMs);
    const quietS = summaries.silentFor(this.feed.sensorId);
    if (status.kind !== "waiting" || quietS === null) return status;
    return { kind: "waiting", words: silent(this.feed.sensorId, quietS) };
  }

  markFocused(focused) {
    setAttribute(this.title, "aria-pressed", String(focused));
    this.node.classList.toggle("is-focused", focused);
  }

  destroy() {
    for (const plot of this.plots) plot.destroy();
    this.feed.close();
    this.node.remove();
  }

  #build(handlers) {
    const { sensorId } = this.feed;
    this.title = element("button", {
      class: "card-title",
      type: "button",
      text: sensorId,
      click: handlers.focus,
      title: "Show its windows and facts",
    });
    this.state = element("span", { class: "state-label" });
    this.rate = element("span", { class: "card-rate" });
    this.clockWords = element("span");
    this.clock = element(
      "span",
      { class: "tag", hidden: true, title: "The device's clock" },
      element("span", { class: "tag-prefix", text: "clock " }),
      this.clockWords,
    );
    this.trouble = element("p", { class: "card-trouble", hidden: true });
    const remove = element("button", {
      class: "icon-button",
      type: "button",
      text: "×",
      click: handlers.remove,
      "aria-label": `Remove ${sensorId}`,
      title: "Remove",
    });
    return element(
      "article",
      { class: "card", "aria-label": sensorId, "data-sensor": sensorId },
      element(
        "header",
        { class: "card-head" },
        element("h3", { class: "card-name" }, this.title),
        element("span", { class: "state" }, element("span", { class: "dot" }), this.state),
        this.rate,
        this.clock,
        remove,
      ),
      element("div", { class: "card-plots" }, ...this.plots.map((plot) => plot.node)),
      this.trouble,
    );
  }
}
