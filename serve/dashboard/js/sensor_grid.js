// The cards of the chosen sensors: adds and removes them, knows which are on the screen.

import { element } from "./elements.js";
import { SensorCard } from "./sensor_card.js";
import { SensorFeed } from "./sensor_feed.js";
import { resumed, stalledTogether } from "./wording.js";

const NEAR = "120px";

/** @param {number} cards */
function densityOf(cards) {
  if (cards <= 3) return ["single", "single", "pair", "rows"][cards];
  return cards <= 6 ? "normal" : "dense";
}

export class SensorGrid {
  /**
   * @param {HTMLElement} node
   * @param {import("./view_state.js").ViewState} view
   * @param {import("./frame_loop.js").FrameLoop} loop
   * @param {{changed: () => void, windowed: (sensorId: string) => void,
   *   say: (words: string) => void, ended: () => void}} handlers
   */
  constructor(node, view, loop, handlers) {
    this.node = node;
    this.view = view;
    this.loop = loop;
    this.handlers = handlers;
    /** @type {Map<string, SensorCard>} */
    this.cards = new Map();
    this.stalled = new Set();
    this.onScreen = new IntersectionObserver((entries) => this.#seen(entries), {
      rootMargin: NEAR,
    });
    this.sizes = new ResizeObserver((entries) => this.#resized(entries));
  }

  /** Makes the cards follow the view state. */
  update() {
    const { sensors, shownGroups, spanS, focused, detailsOpen } = this.view;
    for (const [sensorId, card] of this.cards) if (!sensors.includes(sensorId)) this.#drop(card);
    for (const sensorId of sensors) if (!this.cards.has(sensorId)) this.#add(sensorId);
    this.node.dataset.density = densityOf(sensors.length);
    for (const [sensorId, card] of this.cards) {
      card.arrange(shownGroups, spanS);
      card.markFocused(sensorId === focused && detailsOpen && sensors.length > 1);
    }
  }

  /** @param {number} nowMs @param {import("./sensor_summaries.js").SensorSummaries} summaries */
  describe(nowMs, summaries) {
    for (const card of this.cards.values()) card.describe(nowMs, summaries);
    this.#sayStalls();
  }

  restyle() {
    for (const card of this.cards.values()) card.restyle();
  }

  feeds() {
    return [...this.cards.values()].map((card) => card.feed);
  }

  feed(sensorId) {
    return this.cards.get(sensorId)?.feed;
  }

  /** Tells a screen reader which streams stall and which go on, once. */
  #sayStalls() {
    const stalled = [...this.cards.keys()].filter((id) => this.cards.get(id).kind === "stalled");
    const fresh = stalled.filter((id) => !this.stalled.has(id));
    const back = [...this.stalled].filter((id) => this.cards.get(id)?.kind === "live");
    const lost = [...this.stalled].filter((id) => this.cards.has(id) && !back.includes(id));
    this.stalled = new Set([...lost, ...fresh]);
    if (fresh.length > 0) this.handlers.say(stalledTogether(fresh));
    else if (back.length > 0) this.handlers.say(resumed(back));
  }

  #add(sensorId) {
    const feed = new SensorFeed(sensorId, {
      changed: this.handlers.changed,
      windowed: () => this.handlers.windowed(sensorId),
      ended: this.handlers.ended,
    });
    const card = new SensorCard(feed, {
      focus: () => this.view.set({ focus: sensorId, details: true }),
      remove: () => this.view.toggle(sensorId),
    });
    const place = element("li", { class: "grid-place" }, card.node);
    this.cards.set(sensorId, card);
    this.node.append(place);
    this.loop.add(card);
    this.onScreen.observe(card.node);
    this.sizes.observe(card.node);
  }

  #drop(card) {
    this.onScreen.unobserve(card.node);
    this.sizes.unobserve(card.node);
    this.loop.remove(card);
    this.cards.delete(card.feed.sensorId);
    card.node.parentElement.remove();
    card.destroy();
  }

  #seen(entries) {
    for (const entry of entries) {
      const card = this.#cardOf(entry);
      if (card) card.visible = entry.isIntersecting;
    }
  }

  #resized(entries) {
    for (const entry of entries) this.#cardOf(entry)?.resize();
  }

  #cardOf(entry) {
    return this.cards.get(entry.target.dataset.sensor);
  }
}
