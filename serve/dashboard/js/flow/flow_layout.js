// Where the boxes and places of the flow are drawn: along a snake, or down a phone. Pure.

import { placeKey } from "./stages.js";

export const BOX = { width: 158, height: 88 };
export const PLACE = { width: 104, height: 34 };
const GAP = 20;
const ROW = 140;
const EDGE = 2;
/** A place stands in the middle of its row, which is as high as a box. */
const PLACE_DOWN = (BOX.height - PLACE.height) / 2;

/** The known stages: the row they are in, and what they begin with there. */
const ROWS = [
  ["bridge", "sensor-processing", "ml-inference"],
  ["session-aggregation", "session-writer"],
];
/** Its first place stands below the middle of the first row's second box. */
const SECOND_ROW_X =
  EDGE + 2 * (PLACE.width + GAP) + (BOX.width + GAP) + (BOX.width - PLACE.width) / 2;

/**
 * @param {object[]} boxes of stages.js
 * @returns {{width: number, height: number, boxes: Map<string, object>,
 *   places: Map<string, object>, arrows: {from: object, to: object}[], wide: boolean}}
 */
export function wideLayout(boxes) {
  const layout = emptyLayout(true);
  const known = new Map(boxes.map((box) => [box.name, box]));
  let y = EDGE;
  for (const [index, names] of ROWS.entries()) {
    const row = names.map((name) => known.get(name)).filter(Boolean);
    for (const box of row) known.delete(box.name);
    if (row.length > 0) placeRow(layout, row, index === 0 ? EDGE : SECOND_ROW_X, y);
    y += ROW;
  }
  placeOthers(layout, boxes);
  const right = rightOf(layout);
  for (const box of known.values()) {
    placeAlone(layout, box, right, y);
    y += ROW;
  }
  return finished(layout, boxes);
}

/** One under the other: as wide as a phone. */
export function narrowLayout(boxes, width) {
  const layout = emptyLayout(false);
  let y = EDGE;
  const left = (width - BOX.width) / 2;
  let targets = [];
  for (const box of inOrder(boxes)) {
    const [last] = targets;
    const goesOn = targets.length === 1 && box.from.length === 1 && last.place === box.from[0];
    const sources = goesOn ? targets : fitting(box.from, width);
    if (goesOn) y = last.y + PLACE.height + GAP;
    else y = putAll(layout, sources, width, y) + GAP;
    const node = { ...BOX, x: left, y, box };
    layout.boxes.set(box.name, node);
    for (const source of sources) layout.arrows.push({ from: source, to: node });
    y += BOX.height + GAP;
    targets = fitting(box.to, width);
    y = putAll(layout, targets, width, y);
    for (const target of targets) layout.arrows.push({ from: node, to: target });
    y += 1.4 * GAP;
  }
  return { ...layout, width, height: y };
}

/** Along the known rows, then what else there is. */
function inOrder(boxes) {
  const names = ROWS.flat();
  const place = ({ name }) => (names.includes(name) ? names.indexOf(name) : names.length);
  return boxes.toSorted((a, b) => place(a) - place(b));
}

function emptyLayout(wide) {
  return { wide, boxes: new Map(), places: new Map(), arrows: [], width: 0, height: 0 };
}

/** place, box, place, box, place: each box goes on with the place that the next one reads. */
function placeRow(layout, row, startX, y) {
  let x = startX;
  for (const [index, box] of row.entries()) {
    const source = box.from[0];
    if (!layout.places.has(placeKey(source))) x = putPlace(layout, source, x, y);
    layout.boxes.set(box.name, { ...BOX, x, y, box });
    x += BOX.width + GAP;
    const next = row[index + 1];
    const target = next && box.to.includes(next.from[0]) ? next.from[0] : mainTarget(layout, box);
    if (target !== undefined) x = putPlace(layout, target, x, y);
  }
}

/** Of what a last box writes, what is not read in the row below. */
function mainTarget(layout, box) {
  const fresh = box.to.filter((place) => !layout.places.has(placeKey(place)));
  return fresh.find((place) => !placeKey(place).endsWith("aggregated")) ?? fresh[0];
}

/** What is written and read by nothing in the picture: below the box that writes it. */
function placeOthers(layout, boxes) {
  for (const box of boxes) {
    const node = layout.boxes.get(box.name);
    const others = node ? box.to.filter((place) => !layout.places.has(placeKey(place))) : [];
    let x = node ? node.x + (BOX.width - PLACE.width) / 2 : 0;
    for (const place of others) {
      const isTaken = () =>
        nodesOf(layout).some((each) => overlaps(each, { ...BOX, x, y: node.y + ROW }));
      while (isTaken()) x += GAP;
      x = putPlace(layout, place, x, node.y + ROW);
    }
  }
}

function overlaps(a, b) {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

function putPlace(layout, place, x, y) {
  layout.places.set(placeKey(place), { ...PLACE, x, y: y + PLACE_DOWN, place });
  return x + PLACE.width + GAP;
}

/** A stage that reads several places: said as their number, so that no lines cross the picture. */
function placeAlone(layout, box, right, y) {
  const many = box.from.length > 1;
  const width = (1 + box.to.length) * (PLACE.width + GAP) + BOX.width;
  const left = Math.max(EDGE, right - width);
  const source = {
    ...PLACE,
    x: left,
    y: y + PLACE_DOWN,
    place: many ? `${box.from.length} topics` : box.from[0],
    title: box.from.join(", "),
  };
  layout.places.set(`${box.name}<`, source);
  const node = { ...BOX, x: left + PLACE.width + GAP, y, box };
  layout.boxes.set(box.name, node);
  layout.arrows.push({ from: source, to: node });
  let x = node.x + BOX.width + GAP;
  for (const target of box.to) {
    const place = { ...PLACE, x, y: y + PLACE_DOWN, place: target };
    layout.places.set(`${box.name}>${target}`, place);
    layout.arrows.push({ from: node, to: place });
    x += PLACE.width + GAP;
  }
  node.alone = true;
}

function finished(layout, boxes) {
  for (const box of boxes) {
    const node = layout.boxes.get(box.name);
    if (node.alone) continue;
    for (const place of box.from) {
      const from = layout.places.get(placeKey(place));
      if (from) layout.arrows.push({ from, to: node });
    }
    for (const place of box.to) {
      const to = layout.places.get(placeKey(place));
      if (to) layout.arrows.push({ from: node, to });
    }
  }
  const bottom = Math.max(...nodesOf(layout).map((node) => node.y + node.height));
  return { ...layout, width: rightOf(layout) + EDGE, height: bottom + EDGE };
}

function nodesOf(layout) {
  return [...layout.boxes.values(), ...layout.places.values()];
}

function rightOf(layout) {
  return Math.max(EDGE, ...nodesOf(layout).map((node) => node.x + node.width));
}

function fitting(places, width) {
  const most = Math.max(1, Math.floor((width - EDGE) / (PLACE.width + GAP / 2)));
  const shown = places.length > most ? [`${places.length} topics`] : places;
  return shown.map((place) => ({ ...PLACE, place, title: places.join(", ") }));
}

function putAll(layout, nodes, width, y) {
  const taken = nodes.length * PLACE.width + (nodes.length - 1) * (GAP / 2);
  let x = (width - taken) / 2;
  for (const node of nodes) {
    Object.assign(node, { x, y });
    layout.places.set(`${layout.places.size}`, node);
    x += PLACE.width + GAP / 2;
  }
  return y + PLACE.height;
}

/** The path of an arrow: straight along a row or down a phone, else around the corner. */
export function arrowPath({ from, to }, wide) {
  const middleY = (node) => node.y + node.height / 2;
  const middleX = (node) => node.x + node.width / 2;
  if (wide && Math.abs(middleY(from) - middleY(to)) < 1) {
    return `M${from.x + from.width} ${middleY(from)}H${to.x - 1}`;
  }
  const [x1, y1] = [middleX(from), from.y + from.height];
  const [x2, y2] = [middleX(to), to.y - 1];
  if (Math.abs(x1 - x2) < 1) return `M${x1} ${y1}V${y2}`;
  const lane = wide ? y1 + (y2 - y1) / 2 : y2 - 9;
  const radius = Math.min(8, Math.abs(x2 - x1) / 2, Math.abs(lane - y1), Math.abs(y2 - lane));
  const sign = Math.sign(x2 - x1);
  return (
    `M${x1} ${y1}V${lane - radius}q0 ${radius} ${sign * radius} ${radius}` +
    `H${x2 - sign * radius}q${sign * radius} 0 ${sign * radius} ${radius}V${y2}`
  );
}
