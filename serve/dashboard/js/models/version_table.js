// The versions of one model: which serves, which waits, which are compared, and their promotion.

import { element } from "../elements.js";
import { scroller, tableHead } from "../table_head.js";

const SHORT_HASH = 12;
const COLUMNS = [
  ["Version", ""],
  ["Role", ""],
  ["Model hash", ""],
  ["About", ""],
  ["Compare", ""],
  ["Promote", ""],
];

/**
 * @param {object} model of the api
 * @param {object[]} versions the newest first
 * @param {Set<string>} compared
 * @param {{access: import("../access.js").Access, promote: (version: string) => void,
 *   compare: (version: string, wanted: boolean) => void}} handlers
 */
export function versionTable(model, versions, compared, handlers) {
  const rows = versions.map((version) => row(model, version, compared, handlers));
  return scroller(
    `Versions of ${model.name}`,
    {},
    element(
      "table",
      { class: "figures listing versions-table" },
      tableHead(COLUMNS),
      element("tbody", {}, ...rows),
    ),
  );
}

function row(model, version, compared, { access, promote, compare }) {
  const name = version.version;
  const isStable = name === model.stable;
  const role = isStable ? "stable" : name === model.candidate ? "candidate" : "";
  const button = element("button", {
    type: "button",
    class: "plain-button",
    "data-key": `${model.name}/${name}/promote`,
    text: "Promote",
    "aria-label": `Promote version ${name}`,
    click: () => promote(name),
  });
  access.settle(button, "admin", () =>
    isStable ? "It is the stable version." : version.fault ? "It cannot be loaded." : null,
  );
  const box = element("input", {
    type: "checkbox",
    "data-key": `${model.name}/${name}/compare`,
    "aria-label": `Compare version ${name}`,
    change: () => compare(name, box.checked),
  });
  box.checked = compared.has(name);
  const hash = version.sha256 ?? "–";
  return element(
    "tr",
    {},
    element("th", { scope: "row", text: name }),
    element("td", {}, role ? element("span", { class: `chip is-${role}`, text: role }) : ""),
    element("td", { class: "mono", title: hash, text: hash.slice(0, SHORT_HASH) }),
    element("td", { class: "version-about", text: aboutOf(version) }),
    element("td", {}, box),
    element("td", {}, button),
  );
}

function aboutOf({ training, fault }) {
  if (fault) return `cannot be loaded: ${fault}`;
  const { hours_seen: hours, updates, seed } = training ?? {};
  const parts = [];
  if (hours) parts.push(`${hours} h of motion`);
  if (updates) parts.push(`${updates} updates`);
  if (seed !== undefined) parts.push(`seed ${seed}`);
  return parts.join(", ");
}
