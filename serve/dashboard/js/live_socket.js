// One WebSocket that comes back by itself.

import { backoffMs } from "./backoff.js";

// A connection that dies within this time counts as a failed attempt, so that a server which
// accepts and at once closes is not asked twice a second for ever.
const STEADY_MS = 5_000;
const OPEN_WITHIN_MS = 10_000;
const LOGIN_ENDED = 4401;
/** Close codes after which asking again would be answered the same. */
const REFUSALS = {
  1008: "the server refused this stream",
  4403: "your log-in may not see this sensor",
};

export class LiveSocket {
  /**
   * @param {string} path such as /ws/transformed/sensor1
   * @param {{message: (message: object) => void, changed: () => void, ended: () => void}} handlers
   *   `ended`: the log-in has
   */
  constructor(path, handlers) {
    this.path = path;
    this.handlers = handlers;
    this.attempt = 0;
    this.open = false;
    this.everOpen = false;
    this.retryAtMs = null;
    /** Why the server does not give it, as words; null where it does. */
    this.refusedWords = null;
    this.#connect();
  }

  /** Seconds until the next attempt, 0 while one is under way; null while connected. */
  retryInSeconds(nowMs) {
    if (this.open) return null;
    return this.retryAtMs === null ? 0 : Math.max(0, (this.retryAtMs - nowMs) / 1000);
  }

  /** Tries at once, for instance because the network is back. */
  retryNow() {
    if (this.retryAtMs === null) return;
    clearTimeout(this.timer);
    this.#connect();
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    clearTimeout(this.openTimer);
    this.socket?.close();
  }

  #connect() {
    this.retryAtMs = null;
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}${this.path}`);
    this.socket = socket;
    this.openTimer = setTimeout(() => socket.close(), OPEN_WITHIN_MS);
    socket.onopen = () => this.#opened();
    socket.onmessage = (event) => this.#received(event.data);
    socket.onclose = (event) => this.#lost(event.code, event.reason);
  }

  #opened() {
    clearTimeout(this.openTimer);
    this.open = true;
    this.everOpen = true;
    this.openedAtMs = performance.now();
    this.handlers.changed();
  }

  #received(data) {
    if (this.closed) return;
    this.handlers.message(JSON.parse(data));
  }

  #lost(code, reason) {
    clearTimeout(this.openTimer);
    if (this.closed) return;
    const now = performance.now();
    const wasSteady = this.open && now - this.openedAtMs > STEADY_MS;
    this.open = false;
    if (code === LOGIN_ENDED) this.handlers.ended();
    if (code in REFUSALS) {
      this.refusedWords = reason || REFUSALS[code];
      this.handlers.changed();
      return;
    }
    this.attempt = wasSteady ? 1 : this.attempt + 1;
    const wait = backoffMs(this.attempt, Math.random());
    this.retryAtMs = now + wait;
    this.timer = setTimeout(() => this.#connect(), wait);
    this.handlers.changed();
  }
}
