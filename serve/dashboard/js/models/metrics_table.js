// The metrics of some versions side by side.

import { element } from "../elements.js";
import { fixed } from "../format.js";
import { scroller, tableHead } from "../table_head.js";
import { changeAgainst, comparisonRows } from "./comparison.js";

const DECIMALS = 4;

/** @param {object} model of the api @param {object[]} versions in the order of the columns */
export function metricsSection(model, versions) {
  const rows = comparisonRows(versions);
  if (rows.length === 0) {
    const text = "These versions tell no metrics.";
    return element("p", { class: "quiet-note metrics-none", text });
  }
  const names = versions.map(({ version }) =>
    version === model.stable ? `${version}, stable` : version,
  );
  const table = element(
    "table",
    { class: "figures listing metrics-table" },
    tableHead(["Metric", ...names].map((name) => [name, ""])),
    element("tbody", {}, ...rows.map(row)),
  );
  return element(
    "section",
    { class: "metrics" },
    element("h4", { class: "panel-subtitle", text: "Side by side" }),
    element("p", {
      class: "quiet-note",
      text:
        "On motion that no version was trained with; the best in bold, the change against the " +
        "first column. RMSE: the root of the mean squared error, less is better.",
    }),
    scroller(`Metrics of ${model.name}`, {}, table),
  );
}

function row({ title, unit, values, best }) {
  const cells = values.map((value, index) => {
    const change = index > 0 ? changeAgainst(values[0], value) : "";
    return element(
      "td",
      { class: index === best ? "is-best" : null },
      change ? element("span", { class: "metric-change", text: change }) : "",
      element("span", { text: fixed(value, DECIMALS) }),
    );
  });
  return element(
    "tr",
    {},
    element(
      "th",
      { scope: "row" },
      element("span", { text: title }),
      unit ? element("span", { class: "column-unit", text: unit }) : "",
    ),
    ...cells,
  );
}
