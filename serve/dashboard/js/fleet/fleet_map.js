// A square for each sensor: how hundreds of them are, at a glance. The table says it in words.

import { element, setAttribute } from "../elements.js";
import { healthOf } from "./fleet_rows.js";

const MOST = 2_000;

export class FleetMap {
  /** @param {HTMLElement} node @param {(sensorId: string) => void} chosen */
  constructor(node, chosen) {
    this.node = node;
    this.node.addEventListener("click", (event) => {
      const sensorId = event.target.closest("[data-id]")?.dataset.id;
      if (sensorId !== undefined) chosen(sensorId);
    });
  }

  /** @param {object[]} sensors in the order of their ids */
  show(sensors) {
    const shown = sensors.slice(0, MOST);
    while (this.node.children.length > shown.length) this.node.lastElementChild.remove();
    while (this.node.children.length < shown.length) {
      this.node.append(element("span", { class: "fleet-cell" }));
    }
    shown.forEach((sensor, index) => {
      const cell = this.node.children[index];
      setAttribute(cell, "data-health", healthOf(sensor));
      setAttribute(cell, "data-id", sensor.sensor_id);
      setAttribute(cell, "title", sensor.sensor_id);
    });
  }
}
