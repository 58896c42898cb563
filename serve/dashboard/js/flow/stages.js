// The stages of the flow as the api tells them, told as one picture: boxes, places and sums. Pure.

import { count, plural, rate } from "../format.js";

/** Places as people call them, with what they are. */
const PLACES = {
  mqtt: ["MQTT", "what sensors publish"],
  "imu-data-all": ["raw", "payloads, byte for byte"],
  "sensor-data-transformed": ["transformed", "calibrated samples"],
  "sensor-data-aggregated": ["aggregated", "windows of motion and velocity"],
  "sensor-data-predictions": ["predictions", "the model's velocities"],
  "new-session-topic": ["sessions", "what began and ended"],
  "dead-letters": ["dead letters", "what could not be processed"],
  mongodb: ["MongoDB", "sessions to look up"],
  parquet: ["Parquet", "the archive"],
};

/** What stages write besides what the api names: windows, as the system's map says. */
const WRITES_TOO = {
  "sensor-processing": ["sensor-data-aggregated"],
  "ml-inference": ["sensor-data-aggregated"],
};

/** What goes in is the sum of what became of it: by the ledger of every commit. */
export const ACCOUNTS = {
  "sensor-processing": ["frames", ["transformed", "duplicates", "heartbeats", "dead_letters"]],
  "session-aggregation": ["records", ["windows", "ticks", "dead_letters"]],
  "ml-inference": ["samples", ["predicted", "skipped", "not_a_number"]],
};

/** "sensor-data-aggregated" -> "aggregated"; what is unknown keeps its name. */
export function placeName(place) {
  return PLACES[placeKey(place)]?.[0] ?? place;
}

export function placeMeaning(place) {
  return PLACES[placeKey(place)]?.[1] ?? "";
}

/** "MQTT imu/+" -> "mqtt", "Parquet (local folder)" -> "parquet". */
export function placeKey(place) {
  const lower = String(place).toLowerCase();
  return ["mqtt", "mongodb", "parquet"].find((name) => lower.startsWith(name)) ?? lower;
}

/**
 * One box for each stage: several entries of one name are its several arrows.
 *
 * @param {object[]} stages of /api/v1/flow
 * @returns {{name: string, from: string[], to: string[], records_per_s: number|null,
 *   samples_per_s: number|null, lag: number|null, lost: number|null, doubled: number|null,
 *   counts: object}[]} figures are null where nobody knows them
 */
export function boxesOf(stages) {
  /** @type {Map<string, object>} */
  const boxes = new Map();
  for (const stage of stages) {
    const [from, to] = [[stage.from].flat(), [stage.to].flat()];
    const box = boxes.get(stage.name);
    if (box === undefined) {
      const also = (WRITES_TOO[stage.name] ?? []).filter((place) => !to.includes(place));
      boxes.set(stage.name, { ...stage, from, to: [...to, ...also], counts: stage.counts ?? {} });
      continue;
    }
    // Arrows that leave one place carry the same records; those of several places add up.
    const isNewSource = from.some((place) => !box.from.includes(place));
    for (const key of ["records_per_s", "samples_per_s", "lag"]) {
      box[key] = isNewSource ? sum(box[key], stage[key]) : larger(box[key], stage[key]);
    }
    for (const key of ["lost", "doubled"]) box[key] = sum(box[key], stage[key]);
    if (Object.keys(box.counts).length === 0) box.counts = stage.counts ?? {};
    box.from = [...new Set([...box.from, ...from])];
    box.to = [...new Set([...box.to, ...to])];
  }
  return [...boxes.values()];
}

/** "good", "lagging" while it is behind, "bad" where something was lost or doubled. */
export function conditionOf(box) {
  if (box.lost > 0 || box.doubled > 0) return "bad";
  if (box.lag === null || box.records_per_s === null) return "good";
  return box.lag > Math.max(100, 5 * box.records_per_s) ? "lagging" : "good";
}

/** The few words under a box's name. */
export function figuresOf({ records_per_s: speed, lag }) {
  const behind = lag === 0 ? "no lag" : `${count(lag)} behind`;
  return [
    (speed ?? null) === null ? "rate unknown" : `${rate(speed)} records/s`,
    (lag ?? null) === null ? "lag unknown" : behind,
  ];
}

/** What became of what went in, as words. */
export function verdictOf(box) {
  if (box.lost > 0) return `${count(box.lost)} lost`;
  if (box.doubled > 0) return `${count(box.doubled)} doubled`;
  if (box.lost === null || box.lost === undefined) return "not counted here";
  return "nothing lost";
}

/** The whole picture in one sentence, for who does not see it. */
export function summaryOf(boxes) {
  const bad = boxes.filter((box) => conditionOf(box) === "bad").map((box) => box.name);
  const behind = boxes.filter((box) => conditionOf(box) === "lagging").map((box) => box.name);
  const state = bad.length > 0 ? `Something was lost in ${bad.join(", ")}.` : "Nothing is lost.";
  const lag = behind.length > 0 ? ` ${behind.join(", ")} fall behind.` : "";
  return `The flow from MQTT to Parquet in ${plural(boxes.length, "stage")}. ${state}${lag}`;
}

function sum(a, b) {
  return (a ?? null) === null ? (b ?? null) : a + (b ?? 0);
}

function larger(a, b) {
  return (a ?? null) === null ? (b ?? null) : Math.max(a, b ?? a);
}
