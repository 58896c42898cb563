// Rows of a long table of which only those on the screen are in the page.

import { element, setAttribute } from "../elements.js";

const SPARE = 6;

export class VirtualRows {
  /**
   * @param {HTMLElement} scroller what scrolls
   * @param {HTMLTableElement} table its head stays; all rows are of one height
   * @param {{rowPx: number, make: () => HTMLTableRowElement,
   *   fill: (row: HTMLTableRowElement, item: object) => void, keyOf: (item: object) => string}} how
   */
  constructor(scroller, table, how) {
    Object.assign(this, { scroller, table, how });
    this.items = [];
    /** @type {Map<string, HTMLTableRowElement>} */
    this.rows = new Map();
    this.above = spacer();
    this.below = spacer();
    this.body = element("tbody", {}, this.above, this.below);
    table.append(this.body);
    scroller.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(scroller);
  }

  /** @param {object[]} items all of them, in order */
  show(items) {
    this.items = items;
    setAttribute(this.table, "aria-rowcount", String(items.length + 1));
    this.draw();
  }

  draw() {
    const { rowPx, keyOf, make, fill } = this.how;
    const { clientHeight, scrollTop } = this.scroller;
    const first = Math.max(0, Math.floor(scrollTop / rowPx) - SPARE);
    const end = Math.min(
      this.items.length,
      Math.ceil((scrollTop + clientHeight) / rowPx) + SPARE,
    );
    const start = Math.min(first, Math.max(0, end - 1));
    const shown = this.items.slice(start, end);
    const keys = new Set(shown.map(keyOf));
    for (const [key, row] of this.rows) {
      // What is focused stays in the page, or the keyboard would lose its place.
      if (keys.has(key) || row.contains(document.activeElement)) continue;
      row.remove();
      this.rows.delete(key);
    }
    let place = this.above;
    shown.forEach((item, index) => {
      const key = keyOf(item);
      const row = this.rows.get(key) ?? make();
      this.rows.set(key, row);
      fill(row, item);
      setAttribute(row, "aria-rowindex", String(start + index + 2));
      if (place.nextElementSibling !== row) place.after(row);
      place = row;
    });
    this.above.firstElementChild.style.height = `${start * rowPx}px`;
    this.below.firstElementChild.style.height = `${(this.items.length - end) * rowPx}px`;
    this.above.hidden = start === 0;
    this.below.hidden = end === this.items.length;
  }
}

function spacer() {
  return element("tr", { class: "spacer", "aria-hidden": "true" }, element("td"));
}
