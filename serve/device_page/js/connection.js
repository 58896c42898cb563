// The connection to the MQTT broker: publishes payloads, takes commands, connects again by itself.

import mqtt from "/vendor/mqtt/mqtt.esm.js";

const PUBLISH_EVERY_MS = 250;
const RECONNECT_MS = 2_000;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Connection extends EventTarget {
  /** @param {string} url @param {string} sensor @param {string} password @param {Outbox} outbox */
  constructor(url, sensor, password, outbox) {
    super();
    this.sensor = sensor;
    this.outbox = outbox;
    this.published = 0;
    this.sending = false;
    this.stopped = false;
    this.client = mqtt.connect(url, {
      protocolVersion: 5,
      clientId: `device-${sensor}-${Math.random().toString(36).slice(2, 8)}`,
      username: password ? sensor : undefined,
      password: password || undefined,
      reconnectPeriod: RECONNECT_MS,
      connectTimeout: 10_000,
      keepalive: 20,
      queueQoSZero: false,
      // Its own timers run in a worker, which the page's policy does not allow.
      timerVariant: "native",
    });
    this.client.on("connect", () => this.#connected());
    this.client.on("reconnect", () => this.#say("waiting", "Connecting again…"));
    // The end that was asked for closes it too, after the last message is through.
    this.client.on("close", () => this.stopped || this.#say("lost", "Not connected"));
    this.client.on("error", (error) => this.#fail(error));
    this.client.on("message", (_topic, payload) => {
      this.dispatchEvent(new CustomEvent("command", { detail: decoder.decode(payload) }));
    });
    this.timer = setInterval(() => this.#publish(), PUBLISH_EVERY_MS);
    this.#say("waiting", "Connecting…");
  }

  reply(message) {
    this.client.publish(`imu/${this.sensor}/replies`, JSON.stringify(message), { qos: 1 });
  }

  stop() {
    this.stopped = true;
    clearInterval(this.timer);
    this.#publish();
    this.client.end();
    this.#say("stopped", "Stopped");
  }

  #connected() {
    this.#say("live", "Connected");
    this.client.subscribe(`imu/${this.sensor}/commands`, { qos: 1 }, (error) => {
      if (error) this.#fail(error);
    });
  }

  #publish() {
    if (this.sending || !this.client.connected || this.outbox.samples.length === 0) return;
    const samples = this.outbox.take();
    const payload = encoder.encode(JSON.stringify({ samples }));
    this.sending = true;
    this.client.publish(`imu/${this.sensor}`, payload, { qos: 1 }, (error, packet) => {
      this.sending = false;
      const refused = error ?? (packet?.reasonCode >= 0x80 ? new Error(reason(packet)) : null);
      if (refused) {
        this.outbox.dropped += samples.length;
        this.#fail(refused);
        return;
      }
      this.published += samples.length;
    });
  }

  #say(state, text) {
    this.dispatchEvent(new CustomEvent("state", { detail: { state, text } }));
  }

  #fail(error) {
    const detail = [0x86, 0x87].includes(error.code)
      ? "The broker does not let this sensor in: check its id and password."
      : `The broker refuses: ${error.message}`;
    this.dispatchEvent(new CustomEvent("failure", { detail }));
  }
}

function reason(packet) {
  return `a message was not taken (reason code ${packet.reasonCode})`;
}
