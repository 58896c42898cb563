// The models: which version is stable, which a candidate, and how they compare.

import { getJson } from "../api_client.js";
import { element, setText } from "../elements.js";
import { fixed } from "../format.js";
import { changeAgainst, comparisonRows } from "./comparison.js";
import { promote, rollBack } from "./model_actions.js";

const EVERY_MS = 10_000;
const MOST_COMPARED = 4;
const DECIMALS = 4;
const SHORT_HASH = 12;

export class ModelsView {
  /** @param {HTMLElement} node @param {import("../page_context.js").PageContext} page */
  constructor(node, page) {
    this.page = page;
    this.alarm = element("p", { class: "alarm", role: "alert", hidden: true });
    this.note = element("p", { class: "quiet-note", role: "status", text: "Asking for the models …" });
    this.list = element("div", { class: "models" });
    node.append(
      element(
        "section",
        { class: "view-section", "aria-labelledby": "models-title" },
        element("h2", { id: "models-title", class: "view-title", text: "Models" }),
        element("p", {
          class: "quiet-note",
          text:
            "A model tells a sensor's velocity from its samples. The stable version serves; a " +
            "candidate waits to take its place.",
        }),
        this.alarm,
        this.note,
        this.list,
      ),
    );
    page.access.whenKnown(() => this.#draw());
    this.poll = page.poll(
      () => getJson("/api/v1/models"),
      EVERY_MS,
      { answer: ({ body }) => this.#show(body.models), failed: (error) => this.#fail(error) },
      () => page.view.view === "models",
    );
  }

  update() {
    if (this.page.view.view !== "models") return;
    this.#draw();
    this.poll.now();
  }

  #show(models) {
    this.models = models;
    this.alarm.hidden = true;
    const words = "No model yet. Train one and push it: imustream train, imustream models push";
    setText(this.note, models.length === 0 ? words : "");
    this.note.hidden = models.length > 0;
    this.#draw();
  }

  #fail(error) {
    this.note.hidden = true;
    setText(this.alarm, `The models cannot be read now. ${error.message}`);
    this.alarm.hidden = false;
  }

  #draw() {
    const chosen = this.page.view.text("versions");
    const said = JSON.stringify([this.models, chosen, this.page.access.identity?.role]);
    if (this.models === undefined || said === this.said) return;
    this.said = said;
    const focused = document.activeElement?.dataset.key;
    this.list.replaceChildren(...this.models.map((model) => this.#card(model)));
    // What is drawn anew takes the focus with it.
    if (focused) this.list.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  /** The versions, the newest first. */
  #versions(model) {
    const described = (each) => (typeof each === "string" ? { version: each } : each);
    return model.versions.map(described).toReversed();
  }

  /** Which are compared: those chosen, or else the stable one and the candidate. */
  #compared(model) {
    const versions = this.#versions(model);
    const named = this.page.view.text("versions").split(",").filter(Boolean);
    const chosen = versions.filter(({ version }) => named.includes(version));
    if (chosen.length > 0) return stableFirst(chosen, model);
    const usual = versions.filter(({ version }) => [model.stable, model.candidate].includes(version));
    return stableFirst(usual.length > 0 ? usual : versions.slice(0, 2), model);
  }

  #card(model) {
    const back = element("button", {
      type: "button",
      class: "plain-button push-right",
      "data-key": `${model.name}/back`,
      text: "Roll back",
      click: async () => (await rollBack(this.page, model)) && this.poll.now(),
    });
    this.page.access.settle(back, "admin", () =>
      model.previous === null ? "No version was stable before." : null,
    );
    const compared = this.#compared(model);
    return element(
      "article",
      { class: "card model", "aria-label": model.name },
      element(
        "header",
        { class: "card-head" },
        element("h3", { class: "card-name", text: model.name }),
        element("span", {
          class: "quiet-note",
          text: model.stable ? `version ${model.stable} serves` : "no version serves",
        }),
        back,
      ),
      this.#versionTable(model, compared),
      this.#comparison(model, compared),
    );
  }

  #versionTable(model, compared) {
    const rows = this.#versions(model).map((version) => this.#versionRow(model, version, compared));
    const heads = ["Version", "Role", "Model hash", "About", "Compare", ""].map((text) =>
      text === ""
        ? element("td")
        : element("th", { scope: "col", text }),
    );
    return element(
      "div",
      { class: "scroller", tabindex: "0", role: "group", "aria-label": `Versions of ${model.name}` },
      element(
        "table",
        { class: "figures listing versions-table" },
        element("thead", {}, element("tr", {}, ...heads)),
        element("tbody", {}, ...rows),
      ),
    );
  }

  #versionRow(model, version, compared) {
    const isStable = version.version === model.stable;
    const role = isStable ? "stable" : version.version === model.candidate ? "candidate" : "";
    const button = element("button", {
      type: "button",
      class: "plain-button",
      "data-key": `${model.name}/${version.version}/promote`,
      text: "Promote",
      "aria-label": `Promote version ${version.version}`,
      click: async () => (await promote(this.page, model, version.version)) && this.poll.now(),
    });
    this.page.access.settle(button, "admin", () =>
      isStable ? "It is the stable version." : version.fault ? "It cannot be loaded." : null,
    );
    const box = element("input", {
      type: "checkbox",
      "data-key": `${model.name}/${version.version}/compare`,
      "aria-label": `Compare version ${version.version}`,
      change: () => this.#compare(compared, version.version, box.checked),
    });
    box.checked = compared.some((each) => each.version === version.version);
    return element(
      "tr",
      {},
      element("th", { scope: "row", text: version.version }),
      element("td", {}, role ? element("span", { class: `chip is-${role}`, text: role }) : ""),
      element("td", { class: "mono", title: version.sha256, text: (version.sha256 ?? "–").slice(0, SHORT_HASH) }),
      element("td", { class: "version-about", text: aboutOf(version) }),
      element("td", { class: "cell-check" }, box),
      element("td", {}, button),
    );
  }

  #compare(compared, version, wanted) {
    const others = compared.map((each) => each.version).filter((each) => each !== version);
    const next = wanted ? [...others, version].slice(-MOST_COMPARED) : others;
    this.page.view.set({ texts: { versions: next.join(",") } });
  }

  #comparison(model, versions) {
    const rows = comparisonRows(versions);
    if (rows.length === 0) {
      return element("p", { class: "quiet-note", text: "These versions tell no metrics." });
    }
    const heads = versions.map(({ version }) =>
      element("th", {
        scope: "col",
        text: version === model.stable ? `${version}, stable` : version,
      }),
    );
    const table = element(
      "div",
      { class: "scroller", tabindex: "0", role: "group", "aria-label": `Metrics of ${model.name}` },
      element(
        "table",
        { class: "figures listing metrics-table" },
        element(
          "thead",
          {},
          element("tr", {}, element("th", { scope: "col", text: "Metric" }), ...heads),
        ),
        element("tbody", {}, ...rows.map(metricRow)),
      ),
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
      table,
    );
  }
}

function stableFirst(versions, model) {
  return versions.toSorted((a, b) => (b.version === model.stable) - (a.version === model.stable));
}

function aboutOf({ training, fault }) {
  if (fault) return `cannot be loaded: ${fault}`;
  if (!training) return "";
  const parts = [];
  if (training.hours_seen) parts.push(`${training.hours_seen} h of motion`);
  if (training.updates) parts.push(`${training.updates} updates`);
  if (training.seed !== undefined) parts.push(`seed ${training.seed}`);
  return parts.join(", ");
}

function metricRow({ title, unit, values, best }) {
  const cells = values.map((value, index) =>
    element(
      "td",
      { class: index === best ? "is-best" : null },
      index > 0
        ? element("span", { class: "metric-change", text: changeAgainst(values[0], value) })
        : "",
      element("span", { text: fixed(value, DECIMALS) }),
    ),
  );
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
