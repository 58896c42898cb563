// Where a sensor's right edge is: its newest sample, approached without jerks.

const WANTED_LAG_S = 0.05;
const FASTEST = 1.25;
const SLOWEST = 0.85;
const JUMP_S = 3;

/**
 * Samples come in bursts of a frame (a third of a second), a plot has to glide. The playhead runs
 * at the speed of time on the device's clock, a little slower or faster, so that it stands shortly
 * before the newest sample when the next burst arrives. It never looks at the wall clock's value,
 * so a device in 1970 glides like any other.
 */
export class Playhead {
  constructor() {
    this.time = NaN;
    this.newest = NaN;
    this.speed = 1;
  }

  /** @param {number} newest time of the newest sample, seconds on the device's clock */
  arrived(newest) {
    const lag = this.newest - this.time;
    if (Number.isFinite(lag)) {
      const error = Math.max(-0.5, Math.min(0.5, lag - WANTED_LAG_S));
      this.speed = Math.max(SLOWEST, Math.min(FASTEST, 1 + error));
      // It stood still, waiting: the bursts are further apart than it had learnt.
      if (lag <= 0) this.speed = SLOWEST;
    }
    this.newest = newest;
    const distance = newest - this.time;
    if (!(distance >= 0 && distance < JUMP_S)) this.time = newest;
  }

  /** @param {number} seconds passed since the last call @returns {number} time of the right edge */
  advance(seconds) {
    this.time = Math.min(this.newest, this.time + seconds * this.speed);
    return this.time;
  }

  /** Goes to the newest sample at once, for people who asked for less motion. */
  settle() {
    this.time = this.newest;
    return this.time;
  }
}
