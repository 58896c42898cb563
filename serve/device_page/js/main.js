// The phone as a sensor: motion events in, payloads out, and what happens shown.

import { setText } from "/js/elements.js";
import { answer } from "./commands.js";
import { Connection } from "./connection.js";
import { askForMotion, sampleOf } from "./motion.js";
import { Outbox } from "./outbox.js";

const SHOW_EVERY_MS = 500;
const MOST_COMMANDS = 20;
const IDENTIFY_MS = 2_000;
const SILENT_MS = 3_000;
const KEY = "imustream-device";

const byId = (id) => document.getElementById(id);
const form = byId("form");
let running = null;

function suggestedId() {
  const stored = localStorage.getItem(KEY);
  if (stored) return stored;
  return `phone-${Math.random().toString(36).slice(2, 6)}`;
}

function showError(text) {
  byId("error").hidden = !text;
  setText(byId("error"), text ?? "");
}

function showState({ state, text }) {
  byId("connection").dataset.state = state;
  setText(byId("connection-text"), text);
  if (state === "live") showError(null);
}

async function brokerUrl() {
  const response = await fetch("/device/broker.json");
  if (!response.ok) throw new Error("You are logged out: open this page by a new link.");
  const { websocket_port: port, path } = await response.json();
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  return `${scheme}://${location.hostname}:${port}${path}`;
}

function faultOf(sensor) {
  if (sensor.length === 0) return "A sensor id is needed.";
  if (/[/+#\p{Cc}]/u.test(sensor)) return "A sensor id holds no / + # and no control characters.";
  return null;
}

async function start() {
  const sensor = byId("sensor").value.trim();
  const fault = faultOf(sensor);
  if (fault) throw new Error(fault);
  await askForMotion();
  const url = await brokerUrl();
  localStorage.setItem(KEY, sensor);
  const outbox = new Outbox();
  const connection = new Connection(url, sensor, byId("password").value, outbox);
  running = { connection, outbox, readings: 0, since: performance.now(), latest: null, heard: performance.now() };
  connection.addEventListener("state", (event) => showState(event.detail));
  connection.addEventListener("failure", (event) => showError(event.detail));
  connection.addEventListener("command", (event) => take(connection, sensor, event.detail));
  showState({ state: "waiting", text: "Connecting…" });
  window.addEventListener("devicemotion", onMotion);
  setText(byId("toggle"), "Stop");
  byId("sensor").readOnly = byId("password").readOnly = true;
}

function stop() {
  window.removeEventListener("devicemotion", onMotion);
  running.connection.stop();
  running = null;
  setText(byId("toggle"), "Start");
  byId("sensor").readOnly = byId("password").readOnly = false;
}

function onMotion(event) {
  const sample = sampleOf(event);
  if (sample === null || running === null) return;
  running.readings += 1;
  running.latest = sample;
  running.heard = performance.now();
  running.outbox.add(sample);
}

function take(connection, sensor, text) {
  const found = answer(text, Date.now() * 1000, {
    sensor_id: sensor,
    kind: "browser",
    user_agent: navigator.userAgent.slice(0, 200),
  });
  if (found === null) return;
  if (found.reply) connection.reply(found.reply);
  if (found.reply && found.command.name === "identify") identify();
  const line = document.createElement("li");
  const time = new Date().toLocaleTimeString();
  line.textContent = `${time} ${found.command.name}${found.reply ? "" : " (too late)"}`;
  byId("commands").prepend(line);
  while (byId("commands").children.length > MOST_COMMANDS) byId("commands").lastChild.remove();
  byId("no-commands").hidden = true;
}

function identify() {
  navigator.vibrate?.([200, 100, 200]);
  document.body.classList.add("identified");
  setTimeout(() => document.body.classList.remove("identified"), IDENTIFY_MS);
}

function show() {
  if (running === null) return;
  const now = performance.now();
  const rate = (running.readings * 1000) / (now - running.since);
  setText(byId("rate"), rate.toFixed(0));
  setText(byId("published"), String(running.connection.published));
  setText(byId("waiting"), String(running.outbox.samples.length));
  setText(byId("dropped"), String(running.outbox.dropped));
  setText(byId("acc"), vectorText(running.latest?.acc));
  setText(byId("gyro"), vectorText(running.latest?.gyro));
  if (now - running.heard > SILENT_MS) {
    showError("No motion is measured: does this device have the sensors, and may this page read them?");
    running.heard = Infinity;
  }
  running.readings = 0;
  running.since = now;
}

function vectorText(vector) {
  return vector ? vector.map((value) => value.toFixed(2)).join("  ") : "–";
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  showError(null);
  if (running !== null) stop();
  else start().catch((error) => showError(error.message));
});
byId("sensor").value = suggestedId();
setInterval(show, SHOW_EVERY_MS);
