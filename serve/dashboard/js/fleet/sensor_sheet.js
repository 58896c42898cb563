// One sensor's sheet beside the page: its facts, its labels, commands to it, ways to its data.

import { element } from "../elements.js";
import { CommandBox } from "./command_box.js";
import { LabelEditor } from "./label_editor.js";
import { SensorFacts } from "./sensor_facts.js";

export class SensorSheet {
  /** @param {import("../page_context.js").PageContext} page */
  constructor(page) {
    this.page = page;
    /** @type {HTMLDialogElement|null} */
    this.dialog = null;
  }

  /** Opens it; Escape closes it, and what was focused before is focused again. */
  open(sensorId) {
    this.dialog?.close();
    this.sensorId = sensorId;
    this.facts = new SensorFacts();
    this.labels = new LabelEditor(this.page, sensorId);
    const commands = new CommandBox(this.page, sensorId);
    const dialog = element(
      "dialog",
      { class: "sheet", "aria-labelledby": "sheet-title" },
      this.#head(sensorId),
      this.#ways(sensorId),
      this.labels.node,
      commands.node,
      element(
        "section",
        { class: "sheet-section", "aria-label": "Facts" },
        element("h3", { class: "panel-subtitle", text: "Since it was first seen" }),
        this.facts.node,
      ),
    );
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => {
      commands.close();
      dialog.remove();
      if (this.dialog === dialog) this.dialog = null;
    });
    this.dialog = dialog;
    document.body.append(dialog);
    dialog.showModal();
    commands.poll.now();
    this.update();
  }

  close() {
    this.dialog?.close();
  }

  /** Brings the facts and labels up to date. */
  update() {
    if (this.dialog === null) return;
    const summary = this.page.summaries.get(this.sensorId);
    this.facts.show(summary);
    this.labels.show(summary?.labels ?? {});
  }

  #head(sensorId) {
    return element(
      "header",
      { class: "sheet-head" },
      element("h2", { id: "sheet-title", class: "panel-title", text: sensorId }),
      element("button", {
        type: "button",
        class: "icon-button",
        text: "×",
        "aria-label": "Close",
        click: () => this.close(),
      }),
    );
  }

  #ways(sensorId) {
    const way = (text, changes) =>
      element("button", {
        type: "button",
        class: "plain-button",
        text,
        click: () => {
          this.close();
          this.page.view.set(changes);
        },
      });
    return element(
      "div",
      { class: "toolbar sheet-ways" },
      way("Watch live", { view: "live", sensors: [sensorId] }),
      way("Sessions", {
        view: "sessions",
        sessionState: null,
        texts: { of: sensorId, session: "", from: "", to: "" },
      }),
      way("Dead letters", {
        view: "letters",
        texts: { sender: sensorId, reason: "", pipeline: "", letter: "" },
      }),
    );
  }
}
