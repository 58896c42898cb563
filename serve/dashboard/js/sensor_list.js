// The searchable list of sensors: a listbox that arrow keys walk and Space or Enter choose from.

import { element, setAttribute, setText } from "./elements.js";
import { count, plural, rate } from "./format.js";
import { MOST_CHOSEN } from "./view_state.js";

const MOST_ROWS = 400;
const byNumber = new Intl.Collator("en", { numeric: true });

export class SensorList {
  /**
   * @param {{search: HTMLInputElement, list: HTMLElement, note: HTMLElement}} nodes
   * @param {import("./view_state.js").ViewState} view
   * @param {(words: string) => void} say
   */
  constructor(nodes, view, say) {
    Object.assign(this, nodes);
    this.view = view;
    this.say = say;
    /** null until the api has answered @type {object[]|null} */
    this.sensors = null;
    /** @type {Map<string, object>} */
    this.rows = new Map();
    this.activeId = null;
    this.search.addEventListener("input", () => this.update());
    this.search.addEventListener("keydown", (event) => this.#searchKey(event));
    this.list.addEventListener("keydown", (event) => this.#listKey(event));
    this.list.addEventListener("click", (event) => this.#clicked(event));
  }

  /** @param {object[]} sensors summaries of /api/v1/sensors */
  show(sensors) {
    // sensor2 before sensor10
    this.sensors = sensors.toSorted((a, b) => byNumber.compare(a.sensor_id, b.sensor_id));
    this.update();
  }

  update() {
    const wanted = this.search.value.trim().toLocaleLowerCase();
    const known = new Set((this.sensors ?? []).map((sensor) => sensor.sensor_id));
    const unknown = this.view.sensors
      .filter((sensorId) => !known.has(sensorId))
      .map((sensorId) => ({ sensor_id: sensorId, state: "unknown" }));
    const all = [...unknown, ...(this.sensors ?? [])];
    const matches = all.filter((sensor) => sensor.sensor_id.toLocaleLowerCase().includes(wanted));
    const shown = matches.slice(0, MOST_ROWS);
    this.#reconcile(shown);
    for (const sensor of shown) this.#fill(this.rows.get(sensor.sensor_id), sensor);
    this.#makeOneReachable(shown);
    this.#showNote(all.length, matches.length, shown.length);
  }

  #reconcile(shown) {
    const ids = new Set(shown.map((sensor) => sensor.sensor_id));
    for (const [sensorId, row] of this.rows) {
      if (ids.has(sensorId)) continue;
      row.node.remove();
      this.rows.delete(sensorId);
    }
    shown.forEach((sensor, index) => {
      const row = this.rows.get(sensor.sensor_id) ?? this.#makeRow(sensor.sensor_id);
      if (this.list.children[index] !== row.node) {
        this.list.insertBefore(row.node, this.list.children[index] ?? null);
      }
    });
  }

  #makeRow(sensorId) {
    const cell = (name) => element("span", { class: `row-${name}` });
    const row = {
      state: cell("state"),
      rate: cell("rate"),
      gaps: cell("gaps"),
      boots: cell("boots"),
    };
    row.node = element(
      "li",
      { class: "row", role: "option", tabindex: "-1", "data-id": sensorId },
      element("span", { class: "check", "aria-hidden": "true" }),
      element("span", { class: "row-id", text: sensorId }),
      element("span", { class: "dot" }),
      row.state,
      row.rate,
      row.gaps,
      row.boots,
    );
    this.rows.set(sensorId, row);
    return row;
  }

  #fill(row, sensor) {
    const known = sensor.state !== "unknown";
    setAttribute(row.node, "aria-selected", String(this.view.sensors.includes(sensor.sensor_id)));
    setAttribute(row.node, "data-state", sensor.state);
    setText(row.state, known ? sensor.state : "not seen yet");
    setText(row.rate, known ? `${rate(sensor.rate_hz)} Hz` : "");
    setText(row.gaps, known ? plural(sensor.gaps, "gap") : "");
    setText(row.boots, known ? plural(sensor.boot + 1, "boot") : "");
    row.node.classList.toggle("has-gaps", sensor.gaps > 0);
  }

  #makeOneReachable(shown) {
    if (!this.rows.has(this.activeId)) this.activeId = shown[0]?.sensor_id ?? null;
    for (const [sensorId, row] of this.rows) {
      setAttribute(row.node, "tabindex", sensorId === this.activeId ? "0" : "-1");
    }
  }

  #showNote(all, matches, shown) {
    if (this.sensors === null) setText(this.note, "Asking for the sensors …");
    else if (all === 0) setText(this.note, "No sensor has sent a frame yet.");
    else if (matches === 0) setText(this.note, "No sensor matches.");
    else if (shown < matches)
      setText(this.note, `${count(matches - shown)} more: search to narrow.`);
    else setText(this.note, "");
    this.note.hidden = this.note.textContent === "";
  }

  #toggle(sensorId) {
    const taken = this.view.toggle(sensorId);
    if (!taken) this.say(`No more than ${MOST_CHOSEN} sensors can be shown at once.`);
  }

  #clicked(event) {
    const row = event.target.closest("[role=option]");
    if (!row) return;
    this.#activate(row);
    this.#toggle(row.dataset.id);
  }

  #activate(row) {
    this.activeId = row.dataset.id;
    for (const other of this.rows.values()) {
      setAttribute(other.node, "tabindex", other.node === row ? "0" : "-1");
    }
    row.focus();
  }

  #searchKey(event) {
    if (event.key !== "ArrowDown") return;
    event.preventDefault();
    const first = this.list.querySelector("[tabindex='0']");
    if (first) this.#activate(first);
  }

  #listKey(event) {
    const row = event.target.closest("[role=option]");
    if (!row) return;
    if (event.key === " " || event.key === "Enter") {
      event.preventDefault();
      this.#toggle(row.dataset.id);
      return;
    }
    const next = {
      ArrowDown: row.nextElementSibling,
      ArrowUp: row.previousElementSibling,
      Home: this.list.firstElementChild,
      End: this.list.lastElementChild,
    }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    if (next) this.#activate(next);
    else if (event.key === "ArrowUp") this.search.focus();
  }
}
