// Wires the page: the view state drives the parts, the polls and streams feed them.

import { SignedOutError, getJson } from "./api_client.js";
import { ConnectionNotice } from "./connection_notice.js";
import { DetailsPanel } from "./details_panel.js";
import { setAttribute, setText } from "./elements.js";
import { FrameLoop } from "./frame_loop.js";
import { Headline } from "./headline.js";
import { Poll } from "./poll.js";
import { SensorGrid } from "./sensor_grid.js";
import { SensorList } from "./sensor_list.js";
import { SensorSummaries } from "./sensor_summaries.js";
import { SystemView } from "./system_view.js";
import { startTheme } from "./theme.js";
import { Toolbar } from "./toolbar.js";
import { ViewState } from "./view_state.js";

const SENSORS_EVERY_MS = 2_000;
const PIPELINES_EVERY_MS = 2_000;
const HEALTH_EVERY_MS = 5_000;
const WORDS_EVERY_MS = 250;
const FIRST_CHOSEN = 3;

const byId = (id) => document.getElementById(id);
const view = new ViewState();
const loop = new FrameLoop();
const notice = new ConnectionNotice({
  bar: byId("notice"),
  text: byId("notice-text"),
  spoken: byId("spoken"),
});
const headline = new Headline({
  live: byId("live-count"),
  rate: byId("sample-rate"),
  lag: byId("lag"),
  ready: byId("ready"),
});
const list = new SensorList(
  { search: byId("search"), list: byId("sensors"), note: byId("sensors-note") },
  view,
  (words) => notice.say(words),
);
const details = new DetailsPanel(byId("details"));
const system = new SystemView({
  parts: byId("parts"),
  pipelines: byId("pipelines"),
  note: byId("pipelines-note"),
});
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
  say: (words) => notice.say(words),
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
  const onSensors = view.view === "sensors";
  byId("sensors-view").hidden = !onSensors;
  byId("pipelines-view").hidden = onSensors;
  setAttribute(byId("go-sensors"), "aria-current", onSensors ? "page" : "false");
  setAttribute(byId("go-pipelines"), "aria-current", onSensors ? "false" : "page");
  const some = view.sensors.length > 0;
  byId("details").hidden = !(some && view.detailsOpen);
  byId("sensors-view").classList.toggle("with-details", some && view.detailsOpen);
  byId("empty").hidden = some;
  setText(byId("chosen-count"), some ? `${view.sensors.length} shown` : "");
  toolbar.update();
  grid.update();
  list.update();
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
  for (const poll of [sensorsPoll, pipelinesPoll, healthPoll]) poll.stop();
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

byId("go-sensors").addEventListener("click", () => view.set({ view: "sensors" }));
byId("go-pipelines").addEventListener("click", () => view.set({ view: "pipelines" }));
byId("ready").addEventListener("click", () => view.set({ view: "pipelines" }));
byId("retry").addEventListener("click", () => {
  for (const poll of [sensorsPoll, pipelinesPoll, healthPoll]) poll.now();
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
