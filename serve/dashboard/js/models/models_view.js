// The models: which version is stable, which a candidate, and how they compare.

import { getJson } from "../api_client.js";
import { element, setText } from "../elements.js";
import { metricsSection } from "./metrics_table.js";
import { promote, rollBack } from "./model_actions.js";
import { versionTable } from "./version_table.js";

const EVERY_MS = 10_000;
const MOST_COMPARED = 4;

export class ModelsView {
  /** @param {HTMLElement} node @param {import("../page_context.js").PageContext} page */
  constructor(node, page) {
    this.page = page;
    this.alarm = element("p", { class: "alarm", role: "alert", hidden: true });
    this.note = element("p", { class: "quiet-note", role: "status" });
    setText(this.note, "Asking for the models …");
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

  /** Which versions are compared, the stable one first: those chosen, or it and the candidate. */
  #compared(model, versions) {
    const named = this.page.view.text("versions").split(",");
    const chosen = versions.filter(({ version }) => named.includes(version));
    const known = [model.stable, model.candidate];
    const usual = versions.filter(({ version }) => known.includes(version));
    const found = chosen.length > 0 ? chosen : usual.length > 0 ? usual : versions.slice(0, 2);
    return found.toSorted((a, b) => (b.version === model.stable) - (a.version === model.stable));
  }

  #card(model) {
    const { page } = this;
    const versions = model.versions.toReversed();
    const compared = this.#compared(model, versions);
    const names = compared.map(({ version }) => version);
    const back = element("button", {
      type: "button",
      class: "plain-button push-right",
      "data-key": `${model.name}/back`,
      text: "Roll back",
      click: async () => (await rollBack(page, model)) && this.poll.now(),
    });
    page.access.settle(back, "admin", () =>
      model.previous === null ? "No version was stable before." : null,
    );
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
      versionTable(model, versions, new Set(names), {
        access: page.access,
        promote: async (version) => (await promote(page, model, version)) && this.poll.now(),
        compare: (version, wanted) => this.#compare(names, version, wanted),
      }),
      metricsSection(model, compared),
    );
  }

  #compare(names, version, wanted) {
    const others = names.filter((each) => each !== version);
    const next = wanted ? [...others, version].slice(-MOST_COMPARED) : others;
    this.page.view.set({ texts: { versions: next.join(",") } });
  }
}
