// Live streams of imustream in a page or in Node.js: subscribe, and never mind lost connections.
//
//   const client = new LiveClient("wss://imu.example", { token: () => myToken });
//   const subscription = client.subscribe("transformed", { sensor: "sensor1", maxHz: 30 }, {
//     message: (message) => console.log(message.columns.accl_mag),
//   });
//   subscription.close();
//
// One connection carries all subscriptions. When it is lost the client comes back by itself, ever
// more slowly, and each subscription goes on after the last message it got: nothing is missed while
// the server still has it, and what it has no more is reported to `missed`. No dependencies; the
// protocol is docs/websocket-protocol.md.

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 15_000;
// A connection that lived as long was a good one: the next wait is short again.
const STEADY_MS = 5_000;
const OPEN_WITHIN_MS = 10_000;
const BAD_REQUEST = 1008;
const TOO_LARGE = 1009;
const LOGIN_ENDED = 4401;
const FORBIDDEN = 4403;

/** Why the server refuses, and would again. `code` as a WebSocket is closed with: 1008, 4401, 4403. */
export class LiveError extends Error {
  constructor(code, detail) {
    super(`${detail} (${code})`);
    this.name = "LiveError";
    this.code = code;
    this.detail = detail;
  }
}

/** One stream: what it wants, where it is, and whom to tell. */
class Subscription {
  constructor(client, number, wish, resume, handlers) {
    this.client = client;
    this.number = number;
    this.wish = wish;
    this.handlers = handlers;
    /** The last offset got of each partition; give it to `from` to go on elsewhere. */
    this.positions = { ...resume };
  }

  /** Ends it. */
  close() {
    this.client.unsubscribe(this);
  }

  /** The command that begins it, or goes on with it after a lost connection. */
  command() {
    const begin = { type: "subscribe", id: this.number, ...this.wish };
    return Object.keys(this.positions).length ? { ...begin, from: this.positions } : begin;
  }
}

export class LiveClient {
  #subscriptions = new Map();
  #options;
  #url;
  #socket = null;
  #open = false;
  #closed = false;
  #attempt = 0;
  #nextNumber = 1;
  #retryTimer;
  #openTimer;
  #retryAtMs = null;

  /**
   * @param {string} url of the server, such as wss://imu.example; of a page's own one: location.origin
   * @param {object} [options]
   * @param {string | (() => string | Promise<string>)} [options.token] the log-in's token; a page
   *   that is logged in by its cookie needs none
   * @param {string | (() => string | Promise<string>)} [options.ticket] a one-time ticket instead,
   *   asked anew for each connection: make it a function
   * @param {(state: {connected: boolean, retryInMs: number | null}) => void} [options.changed]
   * @param {(error: LiveError) => void} [options.refused] the server lets nobody in any more
   * @param {(url: string, protocols: string[]) => WebSocket} [options.connect] another WebSocket
   */
  constructor(url, options = {}) {
    this.#url = `${url.replace(/^http/, "ws").replace(/\/+$/, "")}/ws`;
    this.#options = options;
    this.#connect();
  }

  get connected() {
    return this.#open;
  }

  /** Milliseconds until the next attempt, 0 while one is under way; null while connected. */
  get retryInMs() {
    if (this.#open) return null;
    return this.#retryAtMs === null ? 0 : Math.max(0, this.#retryAtMs - Date.now());
  }

  /**
   * Begins a subscription.
   *
   * @param {string} stream raw, transformed, aggregated, predictions, sessions or alarms
   * @param {{sensor?: string, maxHz?: number, from?: Record<string, number>}} [wish]
   *   `from`: positions of an earlier subscription to go on after
   * @param {object} handlers
   * @param {(message: object) => void} handlers.message as the server sends it
   * @param {(missed: object) => void} [handlers.missed] offsets that the server has no more
   * @param {() => void} [handlers.caughtUp] all that was missed has come
   * @param {(error: LiveError) => void} [handlers.error] the server refuses it; it has ended
   */
  subscribe(stream, { sensor, maxHz, from } = {}, handlers) {
    const wish = { stream, sensor, max_hz: maxHz };
    const subscription = new Subscription(this, this.#nextNumber, wish, from, handlers);
    this.#nextNumber += 1;
    this.#subscriptions.set(subscription.number, subscription);
    this.#say(subscription.command());
    return subscription;
  }

  /** Ends a subscription. */
  unsubscribe(subscription) {
    if (this.#subscriptions.delete(subscription.number)) {
      this.#say({ type: "unsubscribe", id: subscription.number });
    }
  }

  /** Tries at once, for instance because the network is back. */
  retryNow() {
    if (this.#retryAtMs === null) return;
    clearTimeout(this.#retryTimer);
    this.#connect();
  }

  /** Ends everything. */
  close() {
    this.#closed = true;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#openTimer);
    this.#socket?.close();
    this.#subscriptions.clear();
  }

  async #connect() {
    this.#retryAtMs = null;
    let socket;
    try {
      const { url, protocols } = await this.#address();
      if (this.#closed) return;
      const connect = this.#options.connect ?? ((...address) => new WebSocket(...address));
      socket = connect(url, protocols);
    } catch {
      // Whoever makes tokens may be away too.
      this.#lost(null, 1006, "");
      return;
    }
    this.#socket = socket;
    this.#openTimer = setTimeout(() => socket.close(), OPEN_WITHIN_MS);
    let openedAtMs = null;
    socket.onopen = () => {
      openedAtMs = Date.now();
      this.#opened(socket);
    };
    socket.onmessage = (event) => this.#received(JSON.parse(event.data));
    socket.onclose = (event) => this.#lost(openedAtMs, event.code, event.reason);
  }

  async #address() {
    const ask = async (source) => (typeof source === "function" ? source() : source);
    const token = await ask(this.#options.token);
    const ticket = await ask(this.#options.ticket);
    const protocols = token === undefined ? ["imustream"] : ["imustream", `bearer.${token}`];
    const query = ticket === undefined ? "" : `?ticket=${encodeURIComponent(ticket)}`;
    return { url: `${this.#url}${query}`, protocols };
  }

  #opened(socket) {
    clearTimeout(this.#openTimer);
    if (this.#closed) {
      socket.close();
      return;
    }
    this.#open = true;
    for (const subscription of this.#subscriptions.values()) this.#say(subscription.command());
    this.#changed();
  }

  #received(data) {
    const subscription = this.#subscriptions.get(data.id);
    if (subscription === undefined) return;
    const { handlers, positions } = subscription;
    switch (data.type) {
      case undefined:
        positions[data.partition] = data.offset;
        handlers.message(data);
        break;
      case "subscribed":
      case "position":
        Object.assign(positions, data.positions);
        break;
      case "missed":
        positions[data.partition] = data.to_offset;
        handlers.missed?.(data);
        break;
      case "caught_up":
        handlers.caughtUp?.();
        break;
      case "error":
        this.#subscriptions.delete(data.id);
        handlers.error?.(new LiveError(data.code, data.detail));
        break;
      default:
    }
  }

  #lost(openedAtMs, code, reason) {
    clearTimeout(this.#openTimer);
    this.#open = false;
    if (this.#closed) return;
    const renewable = [this.#options.token, this.#options.ticket].some(
      (source) => typeof source === "function",
    );
    if ([BAD_REQUEST, TOO_LARGE, FORBIDDEN].includes(code) || (code === LOGIN_ENDED && !renewable)) {
      this.#closed = true;
      this.#changed();
      this.#options.refused?.(new LiveError(code, reason));
      return;
    }
    const steady = openedAtMs !== null && Date.now() - openedAtMs > STEADY_MS;
    this.#attempt = steady ? 0 : this.#attempt + 1;
    const waitMs = backoffMs(this.#attempt, Math.random());
    this.#retryAtMs = Date.now() + waitMs;
    this.#retryTimer = setTimeout(() => this.#connect(), waitMs);
    this.#changed();
  }

  #say(command) {
    // What is said while there is no connection is said by all subscriptions when there is one.
    if (this.#open) this.#socket.send(JSON.stringify(command));
  }

  #changed() {
    this.#options.changed?.({ connected: this.#open, retryInMs: this.retryInMs });
  }
}

/** How long to wait before an attempt: doubling to 15 s, half of it random in [0, 1). */
export function backoffMs(attempt, random) {
  const whole = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempt, 10));
  return whole * (0.5 + 0.5 * random);
}
