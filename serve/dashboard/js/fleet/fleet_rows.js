// Which sensors the fleet shows, in which order, and which of them need a look. Pure.

const CLOCK_OFF_US = 5_000_000;
const byNumber = new Intl.Collator("en", { numeric: true });

export const HEALTHS = ["good", "attention", "silent"];

/** Columns: key, title, unit, and what they are sorted by. */
export const COLUMNS = [
  { key: "sensor", title: "Sensor", value: (sensor) => sensor.sensor_id },
  { key: "state", title: "State", value: (sensor) => HEALTHS.indexOf(healthOf(sensor)) },
  { key: "rate", title: "Rate", unit: "Hz", value: (sensor) => sensor.rate_hz },
  { key: "gaps", title: "Gaps", value: (sensor) => sensor.gaps },
  { key: "boots", title: "Boots", value: (sensor) => sensor.boot },
  { key: "clock", title: "Clock", value: (sensor) => Math.abs(sensor.clock_offset_us) },
  { key: "dead", title: "Dead letters", value: (sensor) => sensor.dead_letters ?? 0 },
  { key: "seen", title: "Last seen", value: (sensor) => -sensor.last_received_us },
  { key: "labels", title: "Labels", value: (sensor) => labelTexts(sensor).join(" ") },
];

/** "silent", "attention" where its clock is wrong or frames of it could not be read, or "good". */
export function healthOf(sensor) {
  if (sensor.state !== "live") return "silent";
  return reasonsOf(sensor).length > 0 ? "attention" : "good";
}

/** Why a sensor needs a look, as words. */
export function reasonsOf(sensor) {
  const reasons = [];
  if (Math.abs(sensor.clock_offset_us) >= CLOCK_OFF_US) reasons.push("its clock is wrong");
  if (sensor.dead_letters > 0) reasons.push("some of its frames could not be read");
  return reasons;
}

/** {"limb": "left"} -> ["limb: left"]. */
export function labelTexts(sensor) {
  return Object.entries(sensor.labels ?? {}).map(([name, value]) => `${name}: ${value}`);
}

/** @param {object[]} sensors @returns {Object<string, number>} how many there are of each health */
export function healthCounts(sensors) {
  const counts = Object.fromEntries(HEALTHS.map((health) => [health, 0]));
  for (const sensor of sensors) counts[healthOf(sensor)] += 1;
  return counts;
}

/**
 * @param {object[]} sensors
 * @param {{words: string, health: string, sort: string}} wish `sort`: a column's key, "-" before it
 *   for the largest first
 */
export function fleetRows(sensors, { words, health, sort }) {
  const wanted = words.trim().toLocaleLowerCase();
  const shown = sensors.filter(
    (sensor) => (health === "" || healthOf(sensor) === health) && matches(sensor, wanted),
  );
  const [column, sign] = orderOf(sort);
  return shown.sort((a, b) => {
    const [first, second] = [column.value(a), column.value(b)];
    const order =
      typeof first === "string" ? byNumber.compare(first, second) : (first ?? 0) - (second ?? 0);
    return sign * order || byNumber.compare(a.sensor_id, b.sensor_id);
  });
}

/** @returns {[object, number]} the column that a sort names, and 1 or -1 */
export function orderOf(sort) {
  const descending = sort.startsWith("-");
  const key = descending ? sort.slice(1) : sort;
  return [COLUMNS.find((column) => column.key === key) ?? COLUMNS[0], descending ? -1 : 1];
}

/** The sort that a press on a column's head asks for: upwards, then downwards. */
export function sortAfter(sort, key) {
  const [column, sign] = orderOf(sort);
  return column.key === key && sign === 1 ? `-${key}` : key;
}

function matches(sensor, wanted) {
  if (wanted === "" || sensor.sensor_id.toLocaleLowerCase().includes(wanted)) return true;
  return labelTexts(sensor).some((text) => text.toLocaleLowerCase().includes(wanted));
}
