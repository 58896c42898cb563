// What the browser says of the phone's motion, in the units of the plain form (docs/phones.md).

const STANDARD_GRAVITY = 9.80665;
const RADIANS = Math.PI / 180;

/** Whether this browser must be asked before a page reads motion, as on iOS. */
function mustAsk() {
  return typeof DeviceMotionEvent.requestPermission === "function";
}

/**
 * Asks for permission; call it from a click.
 * @throws {Error} motion is not there, or not allowed
 */
export async function askForMotion() {
  if (typeof DeviceMotionEvent === "undefined") {
    throw new Error(
      isSecureContext
        ? "This browser reads no motion sensors."
        : "Browsers read motion on secure pages only: open this one over https.",
    );
  }
  if (mustAsk() && (await DeviceMotionEvent.requestPermission()) !== "granted") {
    throw new Error("Reading motion was not allowed; reload the page to be asked again.");
  }
}

/**
 * @param {DeviceMotionEvent} event
 * @returns {{t_us: number, acc?: number[], gyro?: number[]}|null} null where nothing is measured
 */
export function sampleOf(event) {
  const acc = vector(event.accelerationIncludingGravity, ["x", "y", "z"]);
  const gyro = vector(event.rotationRate, ["beta", "gamma", "alpha"]);
  if (acc === null && gyro === null) return null;
  const sample = { t_us: Math.round((performance.timeOrigin + event.timeStamp) * 1000) };
  // WebKit, which is every browser of iOS, counts gravity the other way round than specified.
  const sign = typeof GestureEvent === "undefined" ? 1 : -1;
  if (acc !== null) sample.acc = acc.map((value) => rounded((sign * value) / STANDARD_GRAVITY));
  if (gyro !== null) sample.gyro = gyro.map((value) => rounded(value * RADIANS));
  return sample;
}

function vector(from, names) {
  if (!from) return null;
  const values = names.map((name) => from[name]);
  return values.every((value) => Number.isFinite(value)) ? values : null;
}

function rounded(value) {
  return Math.round(value * 1e5) / 1e5;
}
