// What is plotted: the one table of quantities, their columns, units and colours.

const AXES = ["x", "y", "z"];

const axes = (prefix) =>
  AXES.map((axis) => ({ column: `${prefix}_${axis}`, label: axis, colour: `--series-${axis}` }));

/**
 * `stream` is "predictions" where a model made it, else it is the sensor's own. `group` is what a
 * reader switches on and off; `smallest` the least extent of the y axis, so that a sensor at rest
 * shows as a line and not as magnified noise.
 */
export const QUANTITIES = [
  {
    key: "acc",
    group: "acc",
    title: "Acceleration",
    unit: "g",
    decimals: 2,
    smallest: 1,
    fromZero: false,
    series: axes("acc"),
  },
  {
    key: "gyro",
    group: "gyro",
    title: "Rotation",
    unit: "rad/s",
    decimals: 2,
    smallest: 1,
    fromZero: false,
    series: axes("gyro"),
  },
  {
    key: "acc-mag",
    group: "mag",
    title: "Magnitude of acceleration",
    unit: "g",
    decimals: 2,
    smallest: 2,
    fromZero: true,
    series: [{ column: "accl_mag", label: "|a|", colour: "--series-magnitude" }],
  },
  {
    key: "gyro-mag",
    group: "mag",
    title: "Magnitude of rotation",
    unit: "rad/s",
    decimals: 2,
    smallest: 2,
    fromZero: true,
    series: [{ column: "gyro_mag", label: "|ω|", colour: "--series-magnitude" }],
  },
  {
    key: "velocity",
    group: "velocity",
    stream: "predictions",
    title: "Velocity",
    unit: "m/s",
    decimals: 2,
    smallest: 2,
    fromZero: true,
    series: [{ column: "velocity", label: "v", colour: "--series-velocity" }],
  },
];

export const GROUPS = [
  { key: "acc", label: "Acceleration" },
  { key: "gyro", label: "Rotation" },
  { key: "mag", label: "Magnitudes" },
  { key: "velocity", label: "Velocity" },
];

/** The columns of one stream that are plotted. @param {string|undefined} stream */
export function plottedColumns(stream) {
  return QUANTITIES.filter((quantity) => quantity.stream === stream).flatMap((quantity) =>
    quantity.series.map((series) => series.column),
  );
}
