// Wires the page: the view state drives the parts, the polls and streams feed them.

import { SignedOutError, getJson } from "./api_client.js";
import { Announcer } from "./announcer.js";
import { ConnectionNotice } from "./connection_notice.js";
import { DetailsPanel } from "./details_panel.js";
import { setAttribute, setText } from "./elements.js";
import { FrameLoop } from "./frame_loop.js";
import { Headline } from "./headline.js";
import { Poll } from "./poll.js";
import { SensorGrid } from "./sensor_grid.js";
import { SensorList } from "./sensor_list.js";
import { SensorSummaries } from "./sensor_summaries.js";
import { SessionsView } from "./sessions_view.js";
import { SystemView } from "./system_view.js";
import { startTheme } from "./theme.js";
import { Toolbar } from "./toolbar.js";
import { VIEWS, ViewState } from "./view_state.js";

const SENSORS_EVERY_MS = 2_000;
const PIPELINES_EVERY_MS = 2_000;
const HEALTH_EVERY_MS = 5_000;
const SESSIONS_EVERY_MS = 10_000;
const WORDS_EVERY_MS = 250;
const FIRST_CHOSEN = 3;

const byId = (id) => document.getElementById(id);
const view = new ViewState();
const loop = new FrameLoop();
const announcer = new Announcer(byId("spoken"));
const notice = new ConnectionNotice({ bar: byId("notice"), text: byId("notice-text") }, announcer);
const headline = new Headline({
  live: byId("live-count"),
  rate: byId("sample-rate"),
  lag: byId("lag"),
  ready: byId("ready"),
});
const list = new SensorList(
  { search: byId("search"), list: byId("sensors"), note: byId("sensors-note") },
  view,
  (words) => announcer.say(words),
);
const details = new DetailsPanel(byId("details"));
const system = new SystemView({
  parts: byId("parts"),
  pipelines: byId("pipelines"),
  note: byId("pipelines-note"),
});
const sessions = new SessionsView(
  {
    sensor: byId("sessions-of"),
    known: byId("known-sensors"),
    states: byId("session-states"),
    table: byId("sessions"),
    alarm: byId("sessions-alarm"),
    note: byId("sessions-note"),
    more: byId("more-sessions"),
  },
  view,
  {
    asked: () => sessionsPoll.now(),
    knownSensors: () => (list.sensors ?? []).map((sensor) => sensor.sensor_id),
  },
);
const toolbar = new Toolbar(
  {
    groups: byId("groups"),
    spans: byId("spans"),
    pause: byId("pause"),
    details: byId("show-details"),
    clear: byId("clear"),
  },
  view,
  loop,
);
const grid = new SensorGrid(byId("grid"), view, loop, {
  changed: () => tick(),
  say: (words) => announcer.say(words),
  windowed: (sensorId) => {
    if (sensorId === view.focused) showDetails();
  },
});
const summaries = new SensorSummaries();

function showDetails() {
  const focused = view.focused;
  details.describe(focused, summaries.get(focused));
  details.showWindows(grid.feed(focused)?.windows ?? []);
}

function arrange() {
  for (const name of VIEWS) {
    byId(`${name}-view`).hidden = name !== view.view;
    setAttribute(byId(`go-${name}`), "aria-current", name === view.view ? "page" : "false");
  }
  const some = view.sensors.length > 0;
  byId("details").hidden = !(some && view.detailsOpen);
  byId("sensors-view").classList.toggle("with-details", some && view.detailsOpen);
  byId("empty").hidden = some;
  setText(byId("chosen-count"), some ? `${view.sensors.length} shown` : "");
  toolbar.update();
  grid.update();
  list.update();
  sessions.update();
  if (view.view === "sessions") sessionsPoll.now();
  showDetails();
  tick();
}

/** Brings the words up to date; figures that follow the clock change without any message. */
function tick() {
  const now = performance.now();
  grid.describe(now, summaries);
  if (!signedOut) notice.update(now, sensorsPoll, grid.feeds());
}

function sensorsCame({ body, serverMs }) {
  summaries.update(body.sensors, serverMs);
  headline.showSensors(body.sensors);
  list.show(body.sensors);
  if (view.isFresh && view.sensors.length === 0) chooseFirst();
  if (!byId("details").hidden) details.describe(view.focused, summaries.get(view.focused));
  for (const feed of grid.feeds()) if (feed.lost && sensorsPollWasLost) feed.retryNow();
  sensorsPollWasLost = false;
}

/** A first visit starts with something that moves. */
function chooseFirst() {
  const live = list.sensors.filter((sensor) => sensor.state === "live").slice(0, FIRST_CHOSEN);
  if (live.length > 0) view.set({ sensors: live.map((sensor) => sensor.sensor_id) });
}

let signedOut = false;
let sensorsPollWasLost = false;

function failed(error) {
  if (error instanceof SignedOutError) showSignedOut();
  else {
    sensorsPollWasLost = true;
    headline.forget();
  }
}

function showSignedOut() {
  if (signedOut) return;
  signedOut = true;
  for (const poll of [sensorsPoll, pipelinesPoll, healthPoll, sessionsPoll]) poll.stop();
  for (const feed of grid.feeds()) feed.close();
  byId("app").hidden = true;
  byId("notice").hidden = true;
  byId("signed-out").hidden = false;
  byId("signed-out-title").focus();
}

const sensorsPoll = new Poll(() => getJson("/api/v1/sensors"), SENSORS_EVERY_MS, {
  answer: sensorsCame,
  failed,
});
const pipelinesPoll = new Poll(() => getJson("/api/v1/pipelines"), PIPELINES_EVERY_MS, {
  answer: ({ body, serverMs }) => {
    headline.showPipelines(body.pipelines);
    system.showPipelines(body.pipelines, serverMs);
  },
  failed,
});
const healthPoll = new Poll(() => getJson("/health/ready", [503]), HEALTH_EVERY_MS, {
  answer: ({ body }) => {
    headline.showHealth(body);
    system.showHealth(body);
  },
  failed,
});
/** Asked only while they are looked at: a list of many costs the database something. */
const sessionsPoll = new Poll(
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
    failed: (error) => {
      if (error instanceof SignedOutError) showSignedOut();
      else sessions.showFailure(error.message);
    },
  },
  () => view.view === "sessions",
);

for (const name of VIEWS) {
  byId(`go-${name}`).addEventListener("click", () => view.set({ view: name }));
}
byId("ready").addEventListener("click", () => view.set({ view: "pipelines" }));
byId("retry").addEventListener("click", () => {
  for (const poll of [sensorsPoll, pipelinesPoll, healthPoll, sessionsPoll]) poll.now();
  for (const feed of grid.feeds()) feed.retryNow();
});
byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});
byId("try-again").addEventListener("click", () => location.reload());
startTheme(byId("theme"), () => {
  grid.restyle();
  system.restyle();
});
view.addEventListener("change", arrange);
addEventListener("online", () => sensorsPoll.now());
arrange();
setInterval(tick, WORDS_EVERY_MS);
