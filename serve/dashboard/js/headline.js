// The few figures at the top of the page: is it running, and how much of it.

import { setAttribute, setText } from "./elements.js";
import { count, plural } from "./format.js";

export class Headline {
  /** @param {{live: HTMLElement, rate: HTMLElement, lag: HTMLElement, ready: HTMLElement}} nodes */
  constructor(nodes) {
    Object.assign(this, nodes);
  }

  /** @param {object[]} sensors of /api/v1/sensors */
  showSensors(sensors) {
    const live = sensors.filter((sensor) => sensor.state === "live").length;
    setText(this.live, `${count(live)} of ${count(sensors.length)}`);
  }

  /** @param {object[]} pipelines of /api/v1/pipelines */
  showPipelines(pipelines) {
    setText(this.rate, count(pipelines[0]?.samples_per_s));
    const lags = pipelines.map((pipeline) => pipeline.lag ?? NaN);
    setText(this.lag, lags.length > 0 ? count(lags.reduce((a, b) => a + b)) : "–");
    this.alarms = pipelines.filter((pipeline) => pipeline.alarm).length;
    this.#showState();
  }

  /** @param {object} health of /health/ready */
  showHealth(health) {
    this.waiting = Object.entries(health.parts)
      .filter(([, part]) => !part.ready)
      .map(([name]) => name);
    this.#showState();
  }

  /** Nobody answers: what was known is not known now. */
  forget() {
    this.waiting = undefined;
    this.alarms = 0;
    this.#showState();
  }

  #showState() {
    const [state, words] = this.#judge();
    setAttribute(this.ready, "data-state", state);
    setText(this.ready.lastElementChild, words);
  }

  #judge() {
    if (this.alarms > 0) return ["alarm", plural(this.alarms, "alarm")];
    if (this.waiting === undefined) return ["unknown", "unknown"];
    if (this.waiting.length === 0) return ["ready", "all parts ready"];
    if (this.waiting.length === 1) return ["not-ready", `${this.waiting[0]} not ready`];
    return ["not-ready", `${this.waiting.length} parts not ready`];
  }
}
