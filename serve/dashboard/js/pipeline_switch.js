// Pauses a pipeline or lets it go on, for who may, after a question.

import { askBeforeActing } from "./action_dialog.js";
import { sendJson } from "./api_client.js";
import { element, setAttribute, setText } from "./elements.js";

export class PipelineSwitch {
  /**
   * @param {string} name
   * @param {import("./page_context.js").PageContext} page
   * @param {() => void} changed
   */
  constructor(name, page, changed) {
    Object.assign(this, { name, page, changed });
    this.paused = false;
    this.node = element("button", {
      type: "button",
      class: "plain-button push-right",
      click: () => this.#ask(),
    });
    page.access.guard(this.node, "operator");
    this.show(false);
  }

  show(paused) {
    this.paused = paused;
    setText(this.node, paused ? "Resume" : "Pause");
    setAttribute(this.node, "aria-label", `${paused ? "Resume" : "Pause"} ${this.name}`);
  }

  async #ask() {
    const { name, paused } = this;
    const verb = paused ? "Resume" : "Pause";
    const path = `/api/v1/pipelines/${encodeURIComponent(name)}/${verb.toLowerCase()}`;
    const words = paused
      ? "It goes on where it stopped, and works off what came meanwhile."
      : "It finishes what it has begun and then takes nothing more. Nothing is lost: what comes " +
        "waits in Kafka for as long as Kafka keeps it, and what is shown live stands still.";
    const { closed } = askBeforeActing(this.page, {
      title: `${verb} ${name}?`,
      content: [element("p", { text: words })],
      verb,
      done: `${name} is asked to ${verb.toLowerCase()}.`,
      act: () => sendJson("POST", path),
    });
    if (await closed) this.changed();
  }
}
