// The head of a table of figures: a name and, quieter, its unit in each column.

import { element } from "./elements.js";

/** @param {[string, string][]} columns names and units, "" for none @returns {HTMLElement} */
export function tableHead(columns) {
  const heads = columns.map(([title, unit]) =>
    element(
      "th",
      { scope: "col" },
      element("span", { text: title }),
      unit ? element("span", { class: "column-unit", text: unit }) : "",
    ),
  );
  return element("thead", {}, element("tr", {}, ...heads));
}

/** A box in which a wide table scrolls, by keyboard too. */
export function scroller(label, attributes, ...children) {
  const { class: more = "", ...others } = attributes;
  return element(
    "div",
    {
      class: `scroller ${more}`.trim(),
      tabindex: "0",
      role: "group",
      "aria-label": label,
      ...others,
    },
    ...children,
  );
}
