// The words for what goes wrong, each a pure function of what is known.

import { plural, span } from "./format.js";

/** A stream is open but brings nothing. */
export function stalled(sensorId, seconds) {
  return `no samples from ${sensorId} for ${span(seconds)}`;
}

/** A stream is open and has brought nothing yet. */
export function waiting(sensorId, seconds) {
  return seconds < 3
    ? `waiting for samples from ${sensorId}`
    : `no samples from ${sensorId} since this page asked, ${span(seconds)} ago`;
}

/** The pipeline knows the sensor, and that it sends nothing. */
export function silent(sensorId, seconds) {
  return `${sensorId} is silent: its newest frame came ${span(seconds)} ago`;
}

/** Several streams stalled at once, for a screen reader. */
export function stalledTogether(sensorIds) {
  return `no samples from ${named(sensorIds)}`;
}

/** Stalled streams go on, for a screen reader. */
export function resumed(sensorIds) {
  return `samples come again from ${named(sensorIds)}`;
}

/** One sensor's stream is closed. */
export function streamLost(sensorId, retryInSeconds) {
  return `the stream of ${sensorId} is lost; trying again ${soon(retryInSeconds)}`;
}

/** The client took messages too slowly. */
export function dropped(messages) {
  return `this browser was too slow: dropped ${plural(messages, "message")}`;
}

/** Neither streams nor the api answer. */
export function connectionLost(retryInSeconds, attempt) {
  const tries = attempt > 1 ? `, attempt ${attempt}` : "";
  return `Connection to imustream lost. Trying again ${soon(retryInSeconds)}${tries}.`;
}

/** The api answers that it can't, and why. */
export function unavailable(detail) {
  return `imustream answers, but not everything runs: ${detail}`;
}

/** The api answers, some streams do not. */
export function streamsLost(lost, chosen) {
  return `${lost} of ${plural(chosen, "live stream")} lost. Trying again by itself.`;
}

export const RECONNECTED = "Connected again.";

/** The device's clock against the server's; null while they agree within 5 s. */
export function clockOffset(offsetMicroseconds) {
  if (!Number.isFinite(offsetMicroseconds)) return null;
  const seconds = offsetMicroseconds / 1e6;
  if (Math.abs(seconds) < 5) return null;
  return `${span(Math.abs(seconds))} ${seconds > 0 ? "ahead" : "behind"}`;
}

function named(sensorIds) {
  return sensorIds.length > 3 ? plural(sensorIds.length, "sensor") : sensorIds.join(", ");
}

function soon(seconds) {
  return seconds < 1 ? "now" : `in ${Math.ceil(seconds)} s`;
}
