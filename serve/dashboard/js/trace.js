// What is known of one sensor's recent samples: the ring, its holes and its playhead.

import { Playhead } from "./playhead.js";
import { plottedColumns } from "./quantities.js";
import { Ring } from "./ring.js";

const CAPACITY = 60 * 200 + 2_048;
const RESTART_S = 3;
const MOST_HOLES = 256;
// A thinned stream keeps peaks, whose distance varies; only a much longer one is a hole.
const HOLE_STEPS = 10;

export class Trace {
  /** @param {string[]} columns those that are kept */
  constructor(columns = plottedColumns()) {
    this.ring = new Ring(columns, CAPACITY);
    this.playhead = new Playhead();
    this.samples = 0;
    this.boot = null;
    /** Spans without samples, `[from, to]` in device seconds: the line is broken there. */
    this.holes = [];
    this.step = NaN;
  }

  /** Takes the columns of one message. */
  append(columns) {
    const times = columns.timestamp_us ?? [];
    if (times.length === 0) return;
    this.#learnStep(times);
    for (let index = 0; index < times.length; index += 1) {
      this.#appendRow(times[index] / 1e6, columns, index);
    }
    this.samples += times.length;
    this.playhead.arrived(this.ring.lastTime());
  }

  #appendRow(time, columns, index) {
    const boot = columns.boot?.[index] ?? 0;
    const behind = this.ring.lastTime() - time;
    if (boot !== this.boot || behind > RESTART_S) {
      // Numbering or clock began anew: times of before and after can't share an axis.
      this.ring.clear();
      this.holes = [];
      this.boot = boot;
    } else if (behind >= 0) {
      return; // late: it belongs left of what is drawn already
    } else if (-behind > HOLE_STEPS * this.step + 0.05) {
      this.holes.push([time + behind, time]);
      if (this.holes.length > MOST_HOLES) this.holes.shift();
    }
    this.ring.push(time, columns, index);
  }

  #learnStep(times) {
    if (times.length < 2) return;
    const step = (times[times.length - 1] - times[0]) / 1e6 / (times.length - 1);
    if (step > 0) this.step = step;
  }

  /** Holes that reach into the span after `from`. */
  holesAfter(from) {
    return this.holes.filter((hole) => hole[1] > from);
  }
}
