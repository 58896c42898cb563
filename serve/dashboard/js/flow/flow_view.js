// From MQTT to Parquet: the picture, its ledger, and what is said where it is not known.

import { getJson } from "../api_client.js";
import { element, setText } from "../elements.js";
import { FlowPicture } from "./flow_picture.js";
import { FlowTable } from "./flow_table.js";

const EVERY_MS = 3_000;

export class FlowView {
  /**
   * @param {HTMLElement} node
   * @param {import("../page_context.js").PageContext} page
   * @param {(name: string) => void} chosen a stage was pressed
   */
  constructor(node, page, chosen) {
    const host = element("div", { class: "flow-picture" });
    this.picture = new FlowPicture(host, chosen);
    this.table = new FlowTable();
    this.note = element("p", { class: "quiet-note", text: "Asking for the flow …" });
    this.alarm = element("p", { class: "alarm", role: "alert", hidden: true });
    this.card = element(
      "div",
      { class: "card flow-card", hidden: true },
      host,
      this.table.ledger,
      this.table.node,
    );
    node.append(
      element("h2", { id: "flow-title", class: "view-title", text: "Flow" }),
      element("p", {
        class: "quiet-note",
        text:
          "Every record from the sensors to the archive. A stage is behind by the records that " +
          "wait for it; what goes in has to come out, be kept as a dead letter, or be known as a " +
          "duplicate.",
      }),
      this.alarm,
      this.note,
      this.card,
    );
    this.poll = page.poll(
      () => getJson("/api/v1/flow"),
      EVERY_MS,
      {
        answer: ({ body }) => this.#show(body.stages),
        failed: (error) => this.#fail(error),
      },
      () => page.view.view === "pipelines",
    );
  }

  #show(stages) {
    this.alarm.hidden = true;
    this.card.hidden = stages.length === 0;
    setText(this.note, stages.length === 0 ? "No stage has reported yet." : "");
    this.note.hidden = stages.length > 0;
    this.picture.show(stages);
    this.table.show(stages);
  }

  #fail(error) {
    this.note.hidden = true;
    setText(this.alarm, `The flow cannot be read now. ${error.message}`);
    this.alarm.hidden = false;
  }
}
