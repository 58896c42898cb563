// What is around the lines of every plot: its caption with the legend, and the look of its axes.

import { element } from "./elements.js";
import { resolvedColour } from "./theme.js";

/**
 * @param {object} quantity of quantities.js
 * @returns {{caption: HTMLElement, values: HTMLElement[]}} values: one node a series, to write in
 */
export function plotCaption({ title, unit, series }) {
  const values = series.map(() => element("span", { class: "legend-value", text: "–" }));
  const entries = series.map(({ label, colour }, index) =>
    element(
      "span",
      { class: `legend-entry ${colour.slice(2)}` },
      element("span", { class: "legend-label", text: label }),
      values[index],
    ),
  );
  const caption = element(
    "figcaption",
    { class: "plot-caption" },
    element("span", { class: "plot-title", text: title }),
    element("span", { class: "plot-unit", text: unit }),
    element("span", { class: "legend" }, ...entries),
  );
  return { caption, values };
}

/** What both axes of a plot have alike, in the colours of the theme. */
export function axisLook() {
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const grid = { stroke: resolvedColour("--grid"), width: 1 };
  return { stroke: resolvedColour("--axis-text"), font, grid, ticks: { show: false } };
}

/** Makes the canvas in a host an image with a name, for those who do not see it. */
export function nameCanvas(host, name) {
  const canvas = host.querySelector("canvas");
  canvas?.setAttribute("role", "img");
  canvas?.setAttribute("aria-label", name);
}
