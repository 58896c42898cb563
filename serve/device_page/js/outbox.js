// Readings that wait to be published, in payloads that imustream takes: bounded, the oldest go first.

export const MOST_WAITING = 12_000;
export const MOST_A_PAYLOAD = 1_000;
const LONGEST_HOLE_US = 2_000_000;
const LONGEST_SPAN_US = 50_000_000;

export class Outbox {
  constructor() {
    this.samples = [];
    this.dropped = 0;
  }

  add(sample) {
    const last = this.samples.at(-1);
    // A browser rounds its clock: two events may have the same time, of which one would not count.
    if (last && sample.t_us <= last.t_us) sample.t_us = last.t_us + 1;
    this.samples.push(sample);
    if (this.samples.length > MOST_WAITING) {
      this.samples.shift();
      this.dropped += 1;
    }
  }

  /** Takes the next payload's readings: none further apart, and no more, than a payload may hold. */
  take() {
    let count = 0;
    const first = this.samples[0];
    while (count < Math.min(this.samples.length, MOST_A_PAYLOAD)) {
      const sample = this.samples[count];
      if (count > 0 && sample.t_us - this.samples[count - 1].t_us > LONGEST_HOLE_US) break;
      if (sample.t_us - first.t_us > LONGEST_SPAN_US) break;
      count += 1;
    }
    return this.samples.splice(0, count);
  }
}
