// Numbers, spans and clock times as people read them.

const MINUS = "\u2212";
const tenths = new Intl.NumberFormat("en", {
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** 12345.6 -> "12,346"; what is no number -> "–". */
export function count(value) {
  return Number.isFinite(value) ? grouped.format(value) : "–";
}

/** A rate with one decimal where it is small: 199.97 -> "200", 3.25 -> "3.3". */
export function rate(value) {
  if (!Number.isFinite(value)) return "–";
  return value >= 100 ? grouped.format(value) : value.toFixed(1).replace(/\.0$/, "");
}

/** Fixed decimals with a true minus sign, so that columns of figures line up. */
export function fixed(value, decimals) {
  if (!Number.isFinite(value)) return "–";
  const text = Math.abs(value).toFixed(decimals);
  return value < 0 && Number(text) !== 0 ? MINUS + text : text;
}

/** Fixed decimals with thousands apart: 1276.25 -> "1,276.3". */
export function distance(metres) {
  return Number.isFinite(metres) ? tenths.format(metres) : "–";
}

/** "1 sensor", "3 sensors". */
export function plural(number, noun) {
  return `${grouped.format(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** A span in the largest fitting unit: 4 s, 12 min, 3 h, 2 d, 56 years. */
export function span(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const whole = Math.max(0, seconds);
  if (whole < 120) return `${Math.floor(whole)} s`;
  if (whole < 7_200) return `${Math.floor(whole / 60)} min`;
  if (whole < 172_800) return `${Math.floor(whole / 3_600)} h`;
  if (whole < 63_072_000) return `${Math.floor(whole / 86_400)} d`;
  return `${Math.floor(whole / 31_557_600)} years`;
}

/** How long something lasted, to the second: 65 -> "1:05", 3700 -> "1:01:40". */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const whole = Math.max(0, Math.floor(seconds));
  const hours = Math.floor(whole / 3_600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = twoDigits(whole % 60);
  return hours > 0 ? `${hours}:${twoDigits(minutes)}:${rest}` : `${minutes}:${rest}`;
}

const twoDigits = (number) => String(number).padStart(2, "0");

/** Time of day, in the viewer's zone, of a second since the epoch. */
export function timeOfDay(seconds) {
  const date = new Date(seconds * 1000);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits).join(":");
}

/** Date and time of day, in the viewer's zone, of a microsecond since the epoch. */
export function dateTime(microseconds) {
  const date = new Date(microseconds / 1000);
  if (Number.isNaN(date.getTime())) return "–";
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()].map(twoDigits).join("-");
  return `${day} ${timeOfDay(microseconds / 1e6)}`;
}
