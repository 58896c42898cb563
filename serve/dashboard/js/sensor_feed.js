// Everything live about one chosen sensor: its two streams, its samples, its windows, its state.

import { LiveSocket } from "./live_socket.js";
import { plottedColumns } from "./quantities.js";
import { Trace } from "./trace.js";
import * as wording from "./wording.js";

const STALLED_AFTER_MS = 2_500;
const DROP_SHOWN_MS = 10_000;
const MOST_WINDOWS = 60;
const PREDICTIONS_HZ = 50;
const RATES_HZ = [20, 50, 100, 200];
const SAMPLES_PER_PX = 1.5;

/** The least rate that leaves a line smooth: the server keeps peaks, so a pixel has several. */
export function sufficientHz(widthPx, spanS) {
  return (
    RATES_HZ.find((hz) => hz >= (SAMPLES_PER_PX * widthPx) / spanS) ?? RATES_HZ[RATES_HZ.length - 1]
  );
}

export class SensorFeed {
  /**
   * @param {string} sensorId
   * @param {{changed: () => void, windowed: () => void, ended: () => void}} handlers `ended`: the
   *   log-in has
   */
  constructor(sensorId, handlers) {
    this.sensorId = sensorId;
    this.handlers = handlers;
    this.trace = new Trace();
    /** What the model says of it: filled while velocities are wanted. */
    this.predicted = new Trace(plottedColumns("predictions"));
    /** Closed motion windows, the newest first. */
    this.windows = [];
    this.maxHz = null;
    this.dropped = 0;
    this.droppedAtMs = -Infinity;
    this.arrivedAtMs = null;
    this.askedAtMs = performance.now();
    this.aggregated = this.#socket("aggregated", "", (message) => this.#windowClosed(message));
  }

  /** Asks the server for samples that fit the plots. */
  fit(widthPx, spanS) {
    const maxHz = sufficientHz(widthPx, spanS);
    if (widthPx <= 0 || maxHz === this.maxHz) return;
    this.maxHz = maxHz;
    this.transformed?.close();
    this.dropsBefore = this.dropped;
    this.transformed = this.#socket("transformed", `?max_hz=${maxHz}`, (message) =>
      this.#samplesCame(message),
    );
  }

  /** Asks for velocities, or no longer: a stream that nobody looks at has its price. */
  wantPredictions(wanted) {
    if (wanted === (this.predictions !== undefined)) return;
    this.predictions?.close();
    this.predictions = wanted
      ? this.#socket("predictions", `?max_hz=${PREDICTIONS_HZ}`, (message) => {
          this.predicted.append(message.columns);
        })
      : undefined;
  }

  /** The trace of a quantity's stream. */
  traceOf(quantity) {
    return quantity.stream === "predictions" ? this.predicted : this.trace;
  }

  /**
   * @returns {{kind: "connecting"|"live"|"waiting"|"stalled"|"lost", words: string}}
   */
  status(nowMs) {
    const socket = this.transformed;
    if (!socket || (!socket.open && !socket.everOpen && socket.attempt === 0)) {
      return { kind: "connecting", words: `connecting to ${this.sensorId}` };
    }
    if (socket.refusedWords !== null) return { kind: "lost", words: socket.refusedWords };
    if (!socket.open) {
      const words = wording.streamLost(this.sensorId, socket.retryInSeconds(nowMs));
      return { kind: "lost", words };
    }
    if (this.arrivedAtMs === null) {
      const seconds = (nowMs - this.askedAtMs) / 1000;
      return { kind: "waiting", words: wording.waiting(this.sensorId, seconds) };
    }
    // A new connection is given as long as a sample to bring something: it isn't stalled at once.
    const quietMs = nowMs - Math.max(this.arrivedAtMs, socket.openedAtMs);
    if (quietMs > STALLED_AFTER_MS) {
      return { kind: "stalled", words: wording.stalled(this.sensorId, quietMs / 1000) };
    }
    return { kind: "live", words: "live" };
  }

  /** Words about messages dropped in the last seconds, or null. */
  dropNotice(nowMs) {
    return nowMs - this.droppedAtMs < DROP_SHOWN_MS ? wording.dropped(this.dropped) : null;
  }

  get lost() {
    return this.transformed !== undefined && !this.transformed.open && this.transformed.attempt > 0;
  }

  retryNow() {
    this.transformed?.retryNow();
    this.predictions?.retryNow();
    this.aggregated.retryNow();
  }

  close() {
    this.transformed?.close();
    this.predictions?.close();
    this.aggregated.close();
  }

  #socket(stream, query, message) {
    const path = `/ws/${stream}/${encodeURIComponent(this.sensorId)}${query}`;
    return new LiveSocket(path, {
      message,
      ended: this.handlers.ended,
      changed: () => {
        if (stream === "transformed") this.dropsBefore = this.dropped;
        this.handlers.changed();
      },
    });
  }

  #samplesCame(message) {
    const now = performance.now();
    this.trace.append(message.columns);
    this.arrivedAtMs = now;
    // `dropped` counts since the connection was made: earlier connections' drops come on top.
    const dropped = this.dropsBefore + message.dropped;
    if (dropped > this.dropped) this.droppedAtMs = now;
    this.dropped = dropped;
  }

  #windowClosed(message) {
    const rows = message.columns.start_us?.length ?? 0;
    for (let row = 0; row < rows; row += 1) {
      if (message.columns.kind && message.columns.kind[row] !== "motion") continue;
      const entries = Object.entries(message.columns).map(([name, values]) => [name, values[row]]);
      this.windows.unshift(Object.fromEntries(entries));
    }
    this.windows.length = Math.min(this.windows.length, MOST_WINDOWS);
    this.handlers.windowed();
  }
}
