// The fleet: hundreds of sensors at a glance, as squares and as a table to sort and to search.

import { element, setAttribute, setText } from "../elements.js";
import { count, plural, rate, span } from "../format.js";
import { scroller } from "../table_head.js";
import { clockOffset } from "../wording.js";
import { FleetMap } from "./fleet_map.js";
import {
  COLUMNS, fleetRows, healthCounts, healthOf, labelTexts, orderOf, reasonsOf, sortAfter,
} from "./fleet_rows.js";
import { VirtualRows } from "./virtual_rows.js";

const ROW_PX = 40;
const TILES = [
  { health: "", title: "All" },
  { health: "good", title: "Live and well" },
  { health: "attention", title: "Need a look" },
  { health: "silent", title: "Silent" },
];

export class FleetView {
  /**
   * @param {HTMLElement} node
   * @param {import("../page_context.js").PageContext} page
   * @param {(sensorId: string) => void} open shows one sensor's sheet
   */
  constructor(node, page, open) {
    this.page = page;
    this.open = open;
    /** null until the api has answered @type {object[]|null} */
    this.sensors = null;
    this.serverMs = Date.now();
    this.#build(node);
  }

  /** @param {object[]} sensors in the order of their ids @param {number} serverMs */
  show(sensors, serverMs) {
    this.sensors = sensors;
    this.serverMs = serverMs;
    this.update();
  }

  /** Brings it in line with the address and with what is known. */
  update() {
    if (this.page.view.view !== "fleet") return;
    const { view } = this.page;
    const wish = { words: view.text("q"), health: view.text("health"), sort: view.text("sort") };
    if (document.activeElement !== this.search) this.search.value = wish.words;
    const all = this.sensors ?? [];
    const rows = fleetRows(all, wish);
    this.#showTiles(all, wish.health);
    this.map.show(all);
    this.#showOrder(wish.sort);
    this.scroller.hidden = rows.length === 0;
    this.rows.show(rows);
    this.#showNote(all.length, rows.length);
  }

  #showTiles(all, chosen) {
    const counts = { "": all.length, ...healthCounts(all) };
    for (const tile of this.tiles) {
      setAttribute(tile.node, "aria-pressed", String(tile.health === chosen));
      setText(tile.value, this.sensors === null ? "–" : count(counts[tile.health]));
    }
    this.mapFrame.hidden = all.length === 0;
  }

  #showOrder(sort) {
    const [column, sign] = orderOf(sort);
    this.heads.forEach((head, index) => {
      const isSorted = COLUMNS[index] === column;
      const order = isSorted ? (sign === 1 ? "ascending" : "descending") : "none";
      setAttribute(head, "aria-sort", order);
    });
  }

  #showNote(all, shown) {
    const words =
      this.sensors === null
        ? "Asking for the sensors …"
        : all === 0
          ? "No sensor has sent a frame yet. Start one, or simulate some: imustream simulate"
          : shown === 0
            ? "No sensor matches. Clear the search, or choose All."
            : shown < all
              ? `${count(shown)} of ${plural(all, "sensor")}`
              : plural(all, "sensor");
    setText(this.note, words);
  }

  #build(node) {
    const { view } = this.page;
    this.tiles = TILES.map((tile) => this.#tile(tile));
    this.search = element("input", {
      class: "search fleet-search",
      type: "search",
      placeholder: "Search sensors and labels",
      "aria-label": "Search sensors and labels",
      autocomplete: "off",
      spellcheck: "false",
      input: () => view.set({ texts: { q: this.search.value } }),
    });
    const cells = element("div", { class: "fleet-map", "aria-hidden": "true" });
    this.map = new FleetMap(cells, this.open);
    this.mapFrame = element("div", { class: "card fleet-map-card" }, cells, legend());
    this.note = element("p", { class: "quiet-note", role: "status" });
    this.table = this.#table();
    this.scroller = scroller("Sensors", { class: "card table-card fleet-scroller" }, this.table);
    this.rows = new VirtualRows(this.scroller, this.table, {
      rowPx: ROW_PX,
      make: () => this.#makeRow(),
      fill: (row, sensor) => this.#fill(row, sensor),
      keyOf: (sensor) => sensor.sensor_id,
    });
    node.append(
      element(
        "section",
        { class: "view-section", "aria-labelledby": "fleet-title" },
        element("h2", { id: "fleet-title", class: "view-title", text: "Fleet" }),
        element(
          "div",
          { class: "tiles", role: "group", "aria-label": "Which sensors" },
          ...this.tiles.map((tile) => tile.node),
        ),
        this.mapFrame,
        element("div", { class: "toolbar" }, this.search, this.note),
        this.scroller,
      ),
    );
  }

  #tile({ health, title }) {
    const value = element("span", { class: "tile-value", text: "–" });
    const node = element(
      "button",
      {
        type: "button",
        class: "tile",
        "data-health": health || "all",
        click: () => this.page.view.set({ texts: { health } }),
      },
      value,
      element("span", { class: "tile-title", text: title }),
    );
    return { health, node, value };
  }

  #table() {
    this.heads = COLUMNS.map((column) => {
      const press = () => {
        const { view } = this.page;
        this.scroller.scrollTop = 0;
        view.set({ texts: { sort: sortAfter(view.text("sort"), column.key) } });
      };
      return element(
        "th",
        { scope: "col", "aria-sort": "none", class: `column-${column.key}` },
        element(
          "button",
          { type: "button", class: "sort-button", click: press },
          element("span", { text: column.title }),
          column.unit ? element("span", { class: "column-unit", text: column.unit }) : "",
        ),
      );
    });
    return element(
      "table",
      { class: "figures listing fleet-table" },
      element("thead", {}, element("tr", { "aria-rowindex": "1" }, ...this.heads)),
    );
  }

  #makeRow() {
    const button = element("button", { type: "button", class: "sensor-link" });
    button.addEventListener("click", () => this.open(button.textContent));
    const cells = COLUMNS.map((column, index) =>
      index === 0
        ? element("th", { scope: "row", class: "column-sensor" }, button)
        : element("td", { class: `column-${column.key}` }),
    );
    cells[1].append(
      element(
        "span",
        { class: "state" },
        element("span", { class: "dot" }),
        element("span", { class: "state-label" }),
      ),
    );
    return element("tr", {}, ...cells);
  }

  #fill(row, sensor) {
    const [name, state, ...others] = row.children;
    const health = healthOf(sensor);
    setAttribute(row, "data-health", health);
    setText(name.firstElementChild, sensor.sensor_id);
    setAttribute(name.firstElementChild, "title", `Show ${sensor.sensor_id}`);
    setText(state.querySelector(".state-label"), health === "silent" ? "silent" : "live");
    setAttribute(state, "title", reasonsOf(sensor).join(", "));
    const offset = clockOffset(sensor.clock_offset_us);
    const quietS = (this.serverMs - sensor.last_received_us / 1000) / 1000;
    const texts = [
      rate(sensor.rate_hz),
      count(sensor.gaps),
      count(sensor.boot + 1),
      offset ?? "right",
      count(sensor.dead_letters),
      quietS < 5 ? "just now" : `${span(quietS)} ago`,
    ];
    texts.forEach((text, index) => setText(others[index], text));
    others[3].classList.toggle("is-off", offset !== null);
    others[4].classList.toggle("is-off", sensor.dead_letters > 0);
    others[1].classList.toggle("is-zero", sensor.gaps === 0);
    showLabels(others[6], labelTexts(sensor));
  }
}

/** Chips of a sensor's labels; only where they changed. */
function showLabels(cell, texts) {
  const said = texts.join("\n");
  if (cell.dataset.said === said) return;
  cell.dataset.said = said;
  cell.replaceChildren(...texts.map((text) => element("span", { class: "chip", text })));
}

function legend() {
  const entry = (health, text) =>
    element(
      "span",
      { class: "legend-item" },
      element("span", { class: "fleet-cell", "data-health": health }),
      element("span", { text }),
    );
  return element(
    "p",
    { class: "map-legend" },
    entry("good", "live and well"),
    entry("attention", "live, needs a look: its clock is wrong, or frames could not be read"),
    entry("silent", "silent"),
  );
}
