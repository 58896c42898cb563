// One session again: its samples and velocities over the bands of its windows, ever finer.

import { element, setText } from "../elements.js";
import { count } from "../format.js";
import { QUANTITIES } from "../quantities.js";
import { ReplayPlot } from "./replay_plot.js";
import { afterKey, holesOf, within } from "./replay_range.js";
import { ReplaySource } from "./replay_source.js";
import { SessionFacts } from "./session_facts.js";
import { SpanControls } from "./span_controls.js";
import { WindowTable } from "./window_table.js";

const SETTLED_MS = 200;

export class ReplayView {
  /** @param {HTMLElement} node @param {import("../page_context.js").PageContext} page */
  constructor(node, page) {
    this.node = node;
    this.page = page;
    this.sessionId = "";
  }

  /** Shows the session that the address names, or nothing. */
  update() {
    const { view } = this.page;
    const wanted = view.view === "sessions" ? view.text("session") : "";
    this.node.hidden = wanted === "";
    if (wanted === this.sessionId) return;
    this.close();
    this.sessionId = wanted;
    if (wanted !== "") this.#open(wanted);
  }

  restyle() {
    for (const plot of this.plots ?? []) plot.restyle();
  }

  close() {
    clearTimeout(this.timer);
    for (const plot of this.plots ?? []) plot.destroy();
    this.plots = [];
    this.sessionId = "";
    this.node.replaceChildren();
  }

  async #open(sessionId) {
    this.source = new ReplaySource(sessionId);
    this.#build(sessionId);
    try {
      const session = await this.source.session();
      if (sessionId !== this.sessionId) return;
      this.#describe(session);
      this.#setRange(this.whole);
      this.#showWindows(sessionId);
    } catch (error) {
      this.#fail(sessionId, "This session cannot be read now.", error);
    }
  }

  #describe(session) {
    this.whole = [session.start_us / 1e6, Math.max(session.end_us, session.start_us + 1e6) / 1e6];
    this.range = this.whole;
    setText(this.title, session.sensor_id);
    this.node.dataset.state = session.state;
    setText(this.state, session.state);
    this.facts.show(session);
    this.content.hidden = false;
  }

  async #showWindows(sessionId) {
    try {
      const { windows, note } = await this.source.windows();
      if (sessionId !== this.sessionId) return;
      const holes = holesOf(windows);
      for (const plot of this.plots) plot.setWindows(windows, holes);
      this.table.show(windows, note);
    } catch (error) {
      if (this.page.endedBy(error)) return;
      this.table.show([], `The windows cannot be read now. ${error.message}`);
    }
  }

  /** Moves the plots at once and asks for samples of that span when it has settled. */
  #setRange(range) {
    this.range = range;
    for (const plot of this.plots) plot.setRange(range);
    this.controls.show(range, this.whole);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#ask(), this.asked ? SETTLED_MS : 0);
    this.asked = true;
  }

  async #ask() {
    const { sessionId, range } = this;
    const points = Math.max(...this.plots.map((plot) => plot.width));
    const isStale = () => sessionId !== this.sessionId || range !== this.range;
    this.node.setAttribute("aria-busy", "true");
    try {
      const [samples, predictions] = await Promise.all([
        this.source.samples(range, points),
        this.source.predictions(range, points),
      ]);
      if (isStale()) return;
      this.#showSamples(samples, predictions);
    } catch (error) {
      if (!isStale()) this.#fail(sessionId, "The samples cannot be read now.", error);
    } finally {
      this.node.setAttribute("aria-busy", "false");
    }
  }

  #showSamples(samples, predictions) {
    const rows = samples.columns.timestamp_us?.length ?? 0;
    for (const plot of this.plots) {
      const isVelocity = plot.quantity.stream === "predictions";
      plot.node.hidden = isVelocity && !(predictions?.columns.timestamp_us?.length > 0);
      const columns = isVelocity ? predictions?.columns : samples.columns;
      if (!plot.node.hidden && columns.timestamp_us) plot.setColumns(columns);
    }
    this.alarm.hidden = true;
    const total = samples.rows_total;
    const words =
      rows === 0
        ? "No sample of this span is in the archive yet: it writes some minutes after they came."
        : rows < total
          ? `${count(rows)} of ${count(total)} samples, the peaks among them. Zoom in for more.`
          : `All ${count(total)} samples of this span.`;
    const model = predictions?.model;
    const made = model
      ? `Velocity by ${model.name} ${model.version}.`
      : "No velocity: no model looked at it.";
    const notes = [samples.note, predictions?.note].filter(Boolean);
    setText(this.note, [words, made, ...notes].join(" "));
    this.node.dataset.rows = String(rows);
    this.node.dataset.from = String(this.range[0]);
  }

  #fail(sessionId, words, error) {
    if (sessionId !== this.sessionId) return;
    if (this.page.endedBy(error)) return;
    setText(this.alarmText, `${words} ${error.message}`);
    this.alarm.hidden = false;
  }

  #build(sessionId) {
    this.asked = false;
    this.title = element("h2", { class: "view-title", text: sessionId, tabindex: "-1" });
    this.state = element("span", { class: "state-label" });
    this.facts = new SessionFacts();
    this.controls = new SpanControls((change) => this.#setRange(change(this.range, this.whole)));
    this.alarmText = element("span");
    this.alarm = element(
      "p",
      { class: "alarm", role: "alert", hidden: true },
      this.alarmText,
      element("button", {
        type: "button",
        class: "plain-button",
        text: "Try again",
        click: () => this.#again(),
      }),
    );
    this.note = element("p", { class: "quiet-note", role: "status" });
    this.table = new WindowTable((range) => this.#setRange(within(range, this.whole)));
    this.plots = QUANTITIES.map(
      (quantity) =>
        new ReplayPlot(quantity, { zoomed: (range) => this.#setRange(within(range, this.whole)) }),
    );
    const back = element("button", {
      type: "button",
      class: "plain-button",
      text: "‹ All sessions",
      click: () => this.page.view.set({ texts: { session: "" } }),
    });
    this.content = element(
      "div",
      { class: "replay-content", hidden: true },
      this.facts.node,
      this.controls.node,
      this.#stage(),
      this.note,
      this.table.node,
    );
    this.node.append(
      element(
        "header",
        { class: "view-head" },
        back,
        this.title,
        element("span", { class: "state" }, element("span", { class: "dot" }), this.state),
      ),
      this.alarm,
      this.content,
    );
    this.title.focus();
  }

  #stage() {
    return element(
      "div",
      {
        class: "card replay-stage",
        tabindex: "0",
        role: "group",
        "aria-label": "Plots: arrow keys move, plus and minus zoom, 0 shows the whole session",
        keydown: (event) => this.#key(event),
        dblclick: () => this.#setRange(this.whole),
      },
      ...this.plots.map((plot) => plot.node),
      element(
        "p",
        { class: "map-legend" },
        bandEntry("band", "one window of 2 s"),
        bandEntry("gap", "a window in which samples are missing"),
        bandEntry("hole", "no window: nothing came"),
        element("span", { class: "replay-hint", text: "Drag to zoom in." }),
      ),
    );
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const range = afterKey(event.key, this.range, this.whole);
    if (range === null) return;
    event.preventDefault();
    this.#setRange(range);
  }

  #again() {
    const { sessionId } = this;
    if (this.whole !== undefined && !this.content.hidden) return this.#ask();
    this.close();
    this.sessionId = sessionId;
    this.#open(sessionId);
  }
}

function bandEntry(kind, text) {
  return element(
    "span",
    { class: "legend-item" },
    element("span", { class: "band-key", "data-kind": kind }),
    element("span", { text }),
  );
}
