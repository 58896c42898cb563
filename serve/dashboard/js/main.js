// Wires the page: the view state drives the parts, the polls and streams feed them.

import { Access } from "./access.js";
import { AccountMenu } from "./account_menu.js";
import { Announcer } from "./announcer.js";
import { getJson } from "./api_client.js";
import { ConnectionNotice } from "./connection_notice.js";
import { setAttribute, setText } from "./elements.js";
import { FleetView } from "./fleet/fleet_view.js";
import { SensorSheet } from "./fleet/sensor_sheet.js";
import { FlowView } from "./flow/flow_view.js";
import { Headline } from "./headline.js";
import { LettersView } from "./letters/letters_view.js";
import { LiveView } from "./live_view.js";
import { ModelsView } from "./models/models_view.js";
import { PageContext } from "./page_context.js";
import { ReplayView } from "./replay/replay_view.js";
import { SensorSummaries } from "./sensor_summaries.js";
import { SessionsView } from "./sessions_view.js";
import { SystemView } from "./system_view.js";
import { startTheme } from "./theme.js";
import { VIEWS, ViewState } from "./view_state.js";

const SENSORS_EVERY_MS = 2_000;
const PIPELINES_EVERY_MS = 2_000;
const HEALTH_EVERY_MS = 5_000;
const SESSIONS_EVERY_MS = 10_000;
const IDENTITY_EVERY_MS = 60_000;
const WORDS_EVERY_MS = 250;
const MOST_SENSORS = 5_000;
const FIRST_CHOSEN = 3;

const byId = (id) => document.getElementById(id);
const view = new ViewState();
const page = new PageContext({
  view,
  access: new Access(),
  announcer: new Announcer(byId("spoken")),
  summaries: new SensorSummaries(),
  signedOut: showSignedOut,
});
const notice = new ConnectionNotice(
  { bar: byId("notice"), text: byId("notice-text") },
  page.announcer,
);
const headline = new Headline({
  live: byId("live-count"),
  rate: byId("sample-rate"),
  lag: byId("lag"),
  ready: byId("ready"),
});
const account = new AccountMenu({ button: byId("account"), menu: byId("account-menu") }, page);
const sheet = new SensorSheet(page);
const live = new LiveView(byId, page, { tick, open: (sensorId) => sheet.open(sensorId) });
const fleet = new FleetView(byId("fleet-view"), page, (sensorId) => sheet.open(sensorId));
const sessions = new SessionsView(
  {
    sensor: byId("sessions-of"),
    known: byId("known-sensors"),
    states: byId("session-states"),
    from: byId("sessions-from"),
    to: byId("sessions-to"),
    table: byId("sessions"),
    alarm: byId("sessions-alarm"),
    note: byId("sessions-note"),
    more: byId("more-sessions"),
  },
  view,
  {
    asked: () => sessionsPoll.now(),
    knownSensors: () => (live.list.sensors ?? []).map((sensor) => sensor.sensor_id),
  },
);
const replay = new ReplayView(byId("replay"), page);
const system = new SystemView(
  { parts: byId("parts"), pipelines: byId("pipelines"), note: byId("pipelines-note") },
  page,
  () => pipelinesPoll.now(),
);
const flow = new FlowView(byId("flow"), page, (name) => system.goTo(name));
const letters = new LettersView(byId("letters-view"), page);
const models = new ModelsView(byId("models-view"), page);

function arrange() {
  for (const name of VIEWS) {
    byId(`${name}-view`).hidden = name !== view.view;
    setAttribute(byId(`go-${name}`), "aria-current", name === view.view ? "page" : "false");
  }
  // On a phone not all names fit.
  byId(`go-${view.view}`).scrollIntoView({ block: "nearest", inline: "nearest" });
  live.update();
  fleet.update();
  sessions.update();
  replay.update();
  letters.update();
  models.update();
  byId("sessions-list").hidden = view.text("session") !== "";
  if (view.view === "sessions") sessionsPoll.now();
  if (view.view === "pipelines") flow.poll.now();
  tick();
}

/** Brings the words up to date; figures that follow the clock change without any message. */
function tick() {
  const now = performance.now();
  live.describe(now);
  if (!signedOut) notice.update(now, sensorsPoll, live.grid.feeds());
}

function sensorsCame({ body, serverMs }) {
  page.summaries.update(body.sensors, serverMs);
  headline.showSensors(body.sensors);
  live.show(body.sensors);
  fleet.show(live.list.sensors, serverMs);
  sheet.update();
  account.update();
  if (view.isFresh && location.hash.length < 2) chooseFirst();
  if (sensorsPollWasLost) live.retryLost();
  sensorsPollWasLost = false;
}

/** A first visit starts with something that moves. */
function chooseFirst() {
  const moving = live.list.sensors.filter((sensor) => sensor.state === "live");
  const chosen = moving.slice(0, FIRST_CHOSEN).map((sensor) => sensor.sensor_id);
  if (chosen.length > 0) view.set({ sensors: chosen });
}

let signedOut = false;
let sensorsPollWasLost = false;

function failed() {
  sensorsPollWasLost = true;
  headline.forget();
}

/** @param {string} title why this page shows nothing any more */
function showSignedOut(title = "You are not logged in") {
  if (signedOut) return;
  signedOut = true;
  for (const poll of page.polls) poll.stop();
  for (const feed of live.grid.feeds()) feed.close();
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  byId("app").hidden = true;
  byId("notice").hidden = true;
  byId("signed-out").hidden = false;
  setText(byId("signed-out-title"), title);
  byId("signed-out-title").focus();
}

const always = () => true;
const sensorsPoll = page.poll(
  () => getJson(`/api/v1/sensors?limit=${MOST_SENSORS}`),
  SENSORS_EVERY_MS,
  { answer: sensorsCame, failed },
  always,
);
const pipelinesPoll = page.poll(
  () => getJson("/api/v1/pipelines"),
  PIPELINES_EVERY_MS,
  {
    answer: ({ body, serverMs }) => {
      headline.showPipelines(body.pipelines);
      system.showPipelines(body.pipelines, serverMs);
    },
    failed,
  },
  always,
);
page.poll(
  () => getJson("/health/ready", [503]),
  HEALTH_EVERY_MS,
  {
    answer: ({ body }) => {
      headline.showHealth(body);
      system.showHealth(body);
    },
    failed,
  },
  always,
);
page.poll(
  () => getJson("/api/v1/me"),
  IDENTITY_EVERY_MS,
  { answer: ({ body }) => page.access.update(body), failed: () => {} },
  always,
);
/** Asked only while they are looked at: a list of many costs the database something. */
const sessionsPoll = page.poll(
  async () => {
    const path = sessions.path;
    return { path, ...(await getJson(path)) };
  },
  SESSIONS_EVERY_MS,
  {
    answer: ({ body, path }) => {
      sessions.show(body, path);
      if (path !== sessions.path) setTimeout(() => sessionsPoll.now());
    },
    failed: (error) => sessions.showFailure(error.message),
  },
  () => view.view === "sessions" && view.text("session") === "",
);

for (const name of VIEWS) {
  byId(`go-${name}`).addEventListener("click", () =>
    view.set({ view: name, texts: { session: "" } }),
  );
}
byId("ready").addEventListener("click", () => view.set({ view: "pipelines" }));
byId("retry").addEventListener("click", () => {
  for (const poll of page.polls) poll.now();
  live.retry();
});
byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});
byId("try-again").addEventListener("click", () => location.reload());
startTheme(byId("theme"), () => {
  live.grid.restyle();
  system.restyle();
  replay.restyle();
});
view.addEventListener("change", arrange);
addEventListener("online", () => sensorsPoll.now());
arrange();
setInterval(tick, WORDS_EVERY_MS);
