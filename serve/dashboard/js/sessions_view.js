// The list of sessions: which are asked for, what they were, and what is in the way of knowing.

import { element, setAttribute, setText } from "./elements.js";
import { count, dateTime, distance, duration, fixed, plural } from "./format.js";
import { tableHead } from "./table_head.js";
import { SESSION_STATES } from "./view_state.js";

const FIRST = 50;
const MOST = 500;
const COLUMNS = [
  ["Started", ""],
  ["Sensor", ""],
  ["State", ""],
  ["Lasted", ""],
  ["Windows", ""],
  ["Samples", ""],
  ["Gaps", ""],
  ["Acceleration", "g"],
  ["Velocity", "m/s"],
  ["Distance", "m"],
];
const STATES = [[null, "All"], ...SESSION_STATES.map((state) => [state, titled(state)])];
const TIMES = [
  ["from", "from_us"],
  ["to", "to_us"],
];

export class SessionsView {
  /**
   * @param {{sensor: HTMLInputElement, known: HTMLElement, states: HTMLElement,
   *   from: HTMLInputElement, to: HTMLInputElement, table: HTMLElement, alarm: HTMLElement,
   *   note: HTMLElement, more: HTMLElement}} nodes
   * @param {import("./view_state.js").ViewState} view
   * @param {{asked: () => void, knownSensors: () => string[]}} page `asked`: others are wanted now
   */
  constructor(nodes, view, page) {
    Object.assign(this, nodes);
    this.view = view;
    this.page = page;
    this.limit = FIRST;
    /** null until the api has answered @type {object[]|null} */
    this.sessions = null;
    this.rows = this.#makeTable();
    this.stateButtons = STATES.map(([state, text]) => this.#stateButton(state, text));
    this.sensor.addEventListener("change", () => this.#ask({ of: this.sensor.value.trim() }));
    this.sensor.addEventListener("focus", () => this.#offerSensors());
    for (const [name] of TIMES) {
      this[name].addEventListener("change", () => this.#ask({ [name]: this[name].value }));
    }
    this.more.addEventListener("click", () => this.#showMore());
  }

  /** What to ask the api for. */
  get path() {
    const parameters = new URLSearchParams({ limit: String(this.limit) });
    if (this.view.text("of")) parameters.set("sensor", this.view.text("of"));
    if (this.view.sessionState) parameters.set("state", this.view.sessionState);
    for (const [name, parameter] of TIMES) {
      const at = Date.parse(this.view.text(name));
      if (!Number.isNaN(at)) parameters.set(parameter, String(at * 1000));
    }
    return `/api/v1/sessions?${parameters}`;
  }

  /** Brings the filters in line with the address. */
  update() {
    if (document.activeElement !== this.sensor) this.sensor.value = this.view.text("of");
    for (const [name] of TIMES) {
      if (document.activeElement !== this[name]) this[name].value = this.view.text(name);
    }
    STATES.forEach(([state], index) => {
      const pressed = String(state === this.view.sessionState);
      setAttribute(this.stateButtons[index], "aria-pressed", pressed);
    });
    if (this.path !== this.shownPath) this.#describe();
  }

  /**
   * @param {{sessions: object[], next_cursor: string|null}} body
   * @param {string} path that it answers
   */
  show({ sessions, next_cursor }, path) {
    if (path !== this.path) return;
    this.shownPath = path;
    this.sessions = sessions;
    this.alarm.hidden = true;
    while (this.rows.rows.length > sessions.length) this.rows.deleteRow(-1);
    sessions.forEach((session, index) => {
      this.#fill(this.rows.rows[index] ?? this.#addRow(), session);
    });
    this.hasMore = next_cursor !== null;
    this.#describe();
  }

  /** @param {string} detail why the sessions are not known now */
  showFailure(detail) {
    setText(this.alarm, `The sessions cannot be read now. ${detail}`);
    this.alarm.hidden = false;
    this.#describe();
  }

  #describe() {
    const fresh = this.path === this.shownPath;
    const some = (this.sessions?.length ?? 0) > 0;
    this.table.hidden = !some;
    this.more.hidden = !(some && this.hasMore && this.limit < MOST);
    setText(this.note, this.#words(fresh, some));
  }

  #words(fresh, some) {
    if (!fresh && !this.alarm.hidden) return "";
    if (!fresh) return "Asking for the sessions …";
    if (some && this.hasMore) {
      const narrow = this.limit < MOST ? "" : " Choose a sensor or a time to narrow the list.";
      return `The newest ${count(this.sessions.length)} are shown.${narrow}`;
    }
    if (some) return plural(this.sessions.length, "session");
    const isNarrowed =
      this.view.sessionState !== null || ["of", "from", "to"].some((name) => this.view.text(name));
    if (isNarrowed) return "No session matches.";
    return "No session yet: one begins with a sensor's first window of motion.";
  }

  #ask(texts, more = {}) {
    this.limit = FIRST;
    this.view.set({ ...more, texts });
    this.page.asked();
  }

  #showMore() {
    this.limit = Math.min(MOST, this.limit + FIRST);
    this.#describe();
    this.page.asked();
  }

  #offerSensors() {
    const options = this.page.knownSensors().map((value) => element("option", { value }));
    this.known.replaceChildren(...options);
  }

  #stateButton(state, text) {
    const click = () => this.#ask({}, { sessionState: state });
    const button = element("button", { type: "button", class: "choice", text, click });
    this.states.append(button);
    return button;
  }

  #makeTable() {
    const body = element("tbody");
    this.table.append(
      element("table", { class: "figures listing sessions-table" }, tableHead(COLUMNS), body),
    );
    return body;
  }

  #addRow() {
    const replay = element("button", { type: "button", class: "sensor-link" });
    const sensor = element("button", { type: "button", class: "sensor-link" });
    const state = element(
      "span",
      { class: "state" },
      element("span", { class: "dot" }),
      element("span", { class: "state-label" }),
    );
    const row = element(
      "tr",
      {},
      element("th", { scope: "row" }, replay),
      ...COLUMNS.slice(1).map(() => element("td")),
    );
    row.children[1].append(sensor);
    row.children[2].append(state);
    replay.addEventListener("click", () =>
      this.view.set({ texts: { session: row.dataset.session } }),
    );
    sensor.addEventListener("click", () =>
      this.view.set({ view: "live", sensors: [sensor.textContent] }),
    );
    this.rows.append(row);
    return row;
  }

  #fill(row, session) {
    setAttribute(row, "data-state", session.state);
    setAttribute(row, "data-session", session.session_id);
    const [started, sensor, state, ...figures] = row.children;
    setText(started.firstElementChild, dateTime(session.start_us));
    setAttribute(started.firstElementChild, "title", "Show this session again");
    setText(sensor.firstElementChild, session.sensor_id);
    setAttribute(sensor.firstElementChild, "title", `Show ${session.sensor_id} live`);
    setText(state.querySelector(".state-label"), session.state);
    const texts = [
      duration((session.end_us - session.start_us) / 1e6),
      count(session.windows),
      count(session.samples),
      count(session.gaps),
      fixed(session.acc_mag_max, 2),
      fixed(session.velocity_max ?? NaN, 2),
      distance(session.distance_m ?? NaN),
    ];
    figures.forEach((cell, index) => setText(cell, texts[index]));
  }
}

function titled(word) {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
