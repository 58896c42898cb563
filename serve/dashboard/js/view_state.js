// What the reader looks at, kept in the address so that it survives a reload and can be sent on.

import { GROUPS } from "./quantities.js";

export const MOST_CHOSEN = 24;
export const VIEWS = ["live", "fleet", "sessions", "pipelines", "letters", "models"];
export const SESSION_STATES = ["open", "closed"];
export const SPANS_S = [5, 10, 30, 60];
const FEW = 4;
const DEFAULT_SPAN_S = 10;
/** What the views beside the live one keep in the address: filters, order, what is open. */
const TEXTS = [
  "of", "from", "to", "session", "q", "health", "sort", "reason", "pipeline", "sender", "letter",
  "model", "versions",
];
/** A change of these is a step that the browser's Back undoes. */
const STEPS = ["view", "session"];

/**
 * Emits `change`. `groups` and `details` are null until the reader sets them: then they follow
 * the number of sensors, all of it for a few and only acceleration for many.
 */
export class ViewState extends EventTarget {
  constructor() {
    super();
    this.isFresh = location.hash.length < 2;
    this.#read();
    addEventListener("hashchange", () => {
      this.#read();
      this.dispatchEvent(new Event("change"));
    });
  }

  get shownGroups() {
    if (this.groups !== null) return this.groups;
    return this.sensors.length > FEW ? ["acc"] : GROUPS.map((group) => group.key);
  }

  get detailsOpen() {
    return this.details ?? this.sensors.length <= FEW;
  }

  /** The sensor whose windows and facts are shown. */
  get focused() {
    return this.sensors.includes(this.focus) ? this.focus : (this.sensors[0] ?? null);
  }

  /** Chooses a sensor or lets it go. @returns {boolean} false where no more can be chosen */
  toggle(sensorId) {
    if (this.sensors.includes(sensorId)) {
      this.set({ sensors: this.sensors.filter((other) => other !== sensorId) });
      return true;
    }
    if (this.sensors.length >= MOST_CHOSEN) return false;
    this.set({ sensors: [...this.sensors, sensorId] });
    return true;
  }

  toggleGroup(key) {
    const shown = this.shownGroups;
    const next = GROUPS.map((group) => group.key).filter((other) =>
      other === key ? !shown.includes(key) : shown.includes(other),
    );
    if (next.length > 0) this.set({ groups: next });
  }

  /** @returns {string} a text of the address, empty where there is none */
  text(name) {
    return this.texts[name] ?? "";
  }

  /** @param {object} changes some of view, sensors, groups, spanS, focus, details, sessionState,
   *   and texts: {name: string, empty to leave it out} */
  set({ texts = {}, ...changes }) {
    // The address may have changed a moment ago, and its event not yet have come.
    if (location.hash !== this.hash) this.#read();
    const before = STEPS.map((name) => this[name] ?? this.text(name));
    Object.assign(this, changes);
    this.texts = { ...this.texts, ...texts };
    this.isFresh = false;
    const isStep = STEPS.some((name, index) => (this[name] ?? this.text(name)) !== before[index]);
    history[isStep ? "pushState" : "replaceState"](null, "", `#${this.#write()}`);
    this.hash = location.hash;
    this.dispatchEvent(new Event("change"));
  }

  #read() {
    this.hash = location.hash;
    const parameters = new URLSearchParams(location.hash.slice(1));
    const groups = parameters.get("show")?.split(",") ?? null;
    const known = groups && GROUPS.map((group) => group.key).filter((key) => groups.includes(key));
    const spanS = Number(parameters.get("span"));
    const details = parameters.get("details");
    this.view = VIEWS.includes(parameters.get("view")) ? parameters.get("view") : "live";
    this.texts = Object.fromEntries(TEXTS.map((name) => [name, parameters.get(name) ?? ""]));
    /** Which sessions are listed; null: open and closed. */
    const state = parameters.get("state");
    this.sessionState = SESSION_STATES.includes(state) ? state : null;
    this.sensors = [...new Set(parameters.getAll("sensor"))].slice(0, MOST_CHOSEN);
    this.groups = known?.length > 0 ? known : null;
    this.spanS = SPANS_S.includes(spanS) ? spanS : DEFAULT_SPAN_S;
    this.focus = parameters.get("focus");
    this.details = details === null ? null : details === "yes";
  }

  #write() {
    const parameters = new URLSearchParams();
    parameters.set("view", this.view);
    for (const sensorId of this.sensors) parameters.append("sensor", sensorId);
    if (this.groups) parameters.set("show", this.groups.join(","));
    parameters.set("span", String(this.spanS));
    if (this.sensors.includes(this.focus)) parameters.set("focus", this.focus);
    for (const name of TEXTS) if (this.text(name)) parameters.set(name, this.text(name));
    if (this.sessionState) parameters.set("state", this.sessionState);
    if (this.details !== null) parameters.set("details", this.details ? "yes" : "no");
    return parameters.toString();
  }
}
