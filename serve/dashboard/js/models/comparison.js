// The versions of a model against each other: metrics, their names, which is better. Pure.

import { fixed } from "../format.js";

const LOWER_IS_BETTER = /rmse|mae|loss|error|bias/;
const HIGHER_IS_BETTER = /accuracy|auc|f1|r2/;
/** What describes the data or another method tells nothing about a version. */
const NOT_ITS_OWN = /share|^zero_|^mean_|strapdown/;
const UNITS = [
  [/_m_s$/, "m/s"],
  [/_m$/, "m"],
  [/_g$/, "g"],
];
const WORDS = { rmse: "RMSE", mae: "MAE", auc: "AUC", f1: "F1" };

/** "velocity_rmse_walk_m_s" -> ["Velocity RMSE walk", "m/s"]. */
export function metricName(name) {
  const unit = UNITS.find(([pattern]) => pattern.test(name));
  const bare = unit ? name.replace(unit[0], "") : name;
  const words = bare.split("_").map((word) => WORDS[word] ?? word);
  const text = words.join(" ");
  return [text.charAt(0).toUpperCase() + text.slice(1), unit ? unit[1] : ""];
}

/** 1 where more is better, -1 where less is (of a bias its distance from 0), 0 where neither is. */
export function directionOf(name) {
  if (NOT_ITS_OWN.test(name)) return 0;
  if (LOWER_IS_BETTER.test(name)) return -1;
  return HIGHER_IS_BETTER.test(name) ? 1 : 0;
}

/**
 * @param {object[]} versions with `metrics`
 * @returns {{name: string, title: string, unit: string, values: number[], best: number}[]} a row a
 *   metric; `best` is the place of the best version, -1 where none is or all are alike
 */
export function comparisonRows(versions) {
  const names = [...new Set(versions.flatMap((version) => Object.keys(version.metrics ?? {})))];
  return names.map((name) => {
    const values = versions.map((version) => version.metrics?.[name] ?? NaN);
    const [title, unit] = metricName(name);
    return { name, title, unit, values, best: bestOf(values, directionOf(name)) };
  });
}

/** "−7.1 %" of a value against the first. */
export function changeAgainst(first, value) {
  if (!Number.isFinite(first) || !Number.isFinite(value) || first === 0) return "";
  const percent = (100 * (value - first)) / Math.abs(first);
  if (Math.abs(percent) < 0.05) return "the same";
  return `${percent > 0 ? "+" : ""}${fixed(percent, 1)} %`;
}

function bestOf(values, direction) {
  if (direction === 0 || values.length < 2) return -1;
  const scores = values.map((value) =>
    Number.isFinite(value) ? direction * (direction < 0 ? Math.abs(value) : value) : -Infinity,
  );
  const highest = Math.max(...scores);
  const holders = scores.filter((score) => score === highest);
  return holders.length === 1 && Number.isFinite(highest) ? scores.indexOf(highest) : -1;
}
