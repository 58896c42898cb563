// The live view: which sensors are chosen, their plots, and the details of the focused one.

import { DetailsPanel } from "./details_panel.js";
import { setText } from "./elements.js";
import { FrameLoop } from "./frame_loop.js";
import { SensorGrid } from "./sensor_grid.js";
import { SensorList } from "./sensor_list.js";
import { Toolbar } from "./toolbar.js";

export class LiveView {
  /**
   * @param {(id: string) => HTMLElement} byId
   * @param {import("./page_context.js").PageContext} page
   * @param {{tick: () => void, open: (sensorId: string) => void}} handlers
   */
  constructor(byId, page, { tick, open }) {
    this.page = page;
    this.byId = byId;
    const { view } = page;
    const say = (words) => page.say(words);
    this.list = new SensorList(
      { search: byId("search"), list: byId("sensors"), note: byId("sensors-note") },
      view,
      say,
    );
    this.details = new DetailsPanel(byId("details"), open);
    const loop = new FrameLoop();
    this.toolbar = new Toolbar(
      {
        groups: byId("groups"),
        spans: byId("spans"),
        pause: byId("pause"),
        details: byId("show-details"),
        clear: byId("clear"),
      },
      view,
      loop,
    );
    this.grid = new SensorGrid(byId("grid"), view, loop, {
      changed: tick,
      say,
      ended: () => page.signedOut(),
      windowed: (sensorId) => {
        if (sensorId === view.focused) this.#showDetails();
      },
    });
  }

  /** @param {object[]} sensors of /api/v1/sensors */
  show(sensors) {
    this.list.show(sensors);
    const { view, summaries } = this.page;
    if (!this.byId("details").hidden) {
      this.details.describe(view.focused, summaries.get(view.focused));
    }
  }

  /** Makes everything follow the address. */
  update() {
    const { view } = this.page;
    const some = view.sensors.length > 0;
    this.byId("details").hidden = !(some && view.detailsOpen);
    this.byId("live-view").classList.toggle("with-details", some && view.detailsOpen);
    this.byId("empty").hidden = some;
    setText(this.byId("chosen-count"), some ? `${view.sensors.length} shown` : "");
    this.toolbar.update();
    this.grid.update();
    this.list.update();
    this.#showDetails();
  }

  /** Brings the words up to date. */
  describe(nowMs) {
    this.grid.describe(nowMs, this.page.summaries);
  }

  retry() {
    for (const feed of this.grid.feeds()) feed.retryNow();
  }

  retryLost() {
    for (const feed of this.grid.feeds()) if (feed.lost) feed.retryNow();
  }

  #showDetails() {
    const { view, summaries } = this.page;
    this.details.describe(view.focused, summaries.get(view.focused));
    this.details.showWindows(this.grid.feed(view.focused)?.windows ?? []);
  }
}
