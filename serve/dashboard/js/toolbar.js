// What to plot and how long back: switches of quantities, spans, pause, details.

import { element, setAttribute, setText } from "./elements.js";
import { GROUPS } from "./quantities.js";
import { SPANS_S } from "./view_state.js";

export class Toolbar {
  /**
   * @param {{groups: HTMLElement, spans: HTMLElement, pause: HTMLElement, details: HTMLElement,
   *   clear: HTMLElement}} nodes
   * @param {import("./view_state.js").ViewState} view
   * @param {import("./frame_loop.js").FrameLoop} loop
   */
  constructor(nodes, view, loop) {
    Object.assign(this, nodes);
    this.view = view;
    this.loop = loop;
    this.groupButtons = GROUPS.map(({ key, label }) =>
      this.#button(this.groups, label, () => view.toggleGroup(key)),
    );
    this.spanButtons = SPANS_S.map((spanS) =>
      this.#button(this.spans, `${spanS} s`, () => view.set({ spanS })),
    );
    this.pause.addEventListener("click", () => this.#togglePause());
    this.details.addEventListener("click", () => view.set({ details: !view.detailsOpen }));
    this.clear.addEventListener("click", () => view.set({ sensors: [] }));
  }

  update() {
    const { shownGroups, spanS, detailsOpen, sensors } = this.view;
    GROUPS.forEach(({ key }, index) => {
      setAttribute(this.groupButtons[index], "aria-pressed", String(shownGroups.includes(key)));
    });
    SPANS_S.forEach((each, index) => {
      setAttribute(this.spanButtons[index], "aria-pressed", String(each === spanS));
    });
    setAttribute(this.details, "aria-expanded", String(detailsOpen));
    this.clear.hidden = sensors.length === 0;
  }

  #togglePause() {
    this.loop.paused = !this.loop.paused;
    setAttribute(this.pause, "aria-pressed", String(this.loop.paused));
    setText(this.pause, this.loop.paused ? "Resume" : "Pause");
  }

  #button(place, text, click) {
    const button = element("button", { type: "button", class: "choice", text, click });
    place.append(button);
    return button;
  }
}
