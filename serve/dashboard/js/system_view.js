// The view of the whole system: which part is ready, and a card for each pipeline.

import { element, setAttribute, setText } from "./elements.js";
import { PipelineCard } from "./pipeline_card.js";

export class SystemView {
  /**
   * @param {{parts: HTMLElement, pipelines: HTMLElement, note: HTMLElement}} nodes
   * @param {import("./page_context.js").PageContext} page
   * @param {() => void} changed a pipeline was paused or resumed
   */
  constructor(nodes, page, changed) {
    Object.assign(this, nodes);
    this.page = page;
    this.changed = changed;
    /** @type {Map<string, PipelineCard>} */
    this.cards = new Map();
    this.partNodes = new Map();
  }

  /** @param {object} health the body of /health/ready */
  showHealth(health) {
    const names = Object.keys(health.parts);
    for (const [name, part] of this.partNodes) {
      if (names.includes(name)) continue;
      part.node.remove();
      this.partNodes.delete(name);
    }
    for (const name of names) {
      const part = this.partNodes.get(name) ?? this.#addPart(name);
      const { ready, detail } = health.parts[name];
      setAttribute(part.node, "data-state", ready ? "ready" : "not-ready");
      setText(part.state, ready ? "ready" : "not ready");
      setText(part.detail, detail ?? "");
    }
  }

  /** @param {object[]} pipelines of /api/v1/pipelines @param {number} serverMs */
  showPipelines(pipelines, serverMs) {
    this.note.hidden = pipelines.length > 0;
    const names = new Set(pipelines.map((pipeline) => pipeline.name));
    for (const [name, card] of this.cards) {
      if (names.has(name)) continue;
      card.node.remove();
      this.cards.delete(name);
    }
    for (const pipeline of pipelines) {
      if (!this.cards.has(pipeline.name)) this.#addCard(pipeline.name);
      this.cards.get(pipeline.name).show(pipeline, serverMs);
    }
  }

  /** Goes to the card of a pipeline, if it has one. */
  goTo(name) {
    const card = this.cards.get(name);
    card?.node.scrollIntoView({ block: "start" });
    card?.node.focus({ preventScroll: true });
  }

  restyle() {
    for (const card of this.cards.values()) card.restyle();
  }

  #addPart(name) {
    const part = {
      state: element("span", { class: "state-label" }),
      detail: element("p", { class: "part-detail" }),
    };
    part.node = element(
      "li",
      { class: "part" },
      element("span", { class: "part-name", text: name }),
      element("span", { class: "state" }, element("span", { class: "dot" }), part.state),
      part.detail,
    );
    this.partNodes.set(name, part);
    this.parts.append(part.node);
    return part;
  }

  #addCard(name) {
    const card = new PipelineCard(name, this.page, this.changed);
    this.cards.set(name, card);
    this.pipelines.append(card.node);
  }
}
