// The picture of the flow: places, the stages between them, and what each stage does now.

import { setAttribute } from "../elements.js";
import { arrowPath, narrowLayout, wideLayout } from "./flow_layout.js";
import {
  boxesOf, conditionOf, figuresOf, placeMeaning, placeName, summaryOf, verdictOf,
} from "./stages.js";
import { svg } from "./svg.js";

const WIDE_FROM_PX = 860;

export class FlowPicture {
  /** @param {HTMLElement} host @param {(name: string) => void} chosen a stage was pressed */
  constructor(host, chosen) {
    this.host = host;
    this.stages = [];
    new ResizeObserver(() => this.draw()).observe(host);
    host.addEventListener("click", (event) => {
      const name = event.target.closest("[data-stage]")?.dataset.stage;
      if (name !== undefined) chosen(name);
    });
  }

  /** @param {object[]} stages of /api/v1/flow */
  show(stages) {
    this.stages = stages;
    this.draw();
  }

  draw() {
    const width = this.host.clientWidth;
    if (width === 0 || this.stages.length === 0) return;
    const boxes = boxesOf(this.stages);
    const said = JSON.stringify([boxes, width]);
    if (said === this.said) return;
    this.said = said;
    const layout = width >= WIDE_FROM_PX ? wideLayout(boxes) : narrowLayout(boxes, width);
    this.host.replaceChildren(picture(layout, summaryOf(boxes)));
    setAttribute(this.host, "data-shape", layout.wide ? "wide" : "narrow");
  }
}

function picture(layout, summary) {
  const { width, height, wide } = layout;
  const marker = svg(
    "marker",
    {
      id: "flow-arrow", viewBox: "0 0 8 8", refX: 6.5, refY: 4,
      markerWidth: 8, markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto",
    },
    svg("path", { d: "M1 1L7 4L1 7", class: "flow-arrow-head" }),
  );
  return svg(
    "svg",
    {
      class: "flow-svg",
      viewBox: `0 0 ${width} ${height}`,
      width: wide ? "100%" : width,
      role: "img",
      "aria-label": summary,
    },
    svg("defs", {}, marker),
    ...layout.arrows.map((arrow) =>
      svg("path", {
        d: arrowPath(arrow, wide),
        class: "flow-line",
        "marker-end": "url(#flow-arrow)",
      }),
    ),
    ...[...layout.places.values()].map(placeNode),
    ...[...layout.boxes.values()].map(boxNode),
  );
}

function placeNode({ x, y, width, height, place, title }) {
  const meaning = title ?? placeMeaning(place);
  return svg(
    "g",
    { class: "flow-place", transform: `translate(${x} ${y})` },
    svg("title", { text: `${place}${meaning ? `: ${meaning}` : ""}` }),
    svg("rect", { width, height, rx: height / 2 }),
    svg("text", {
      x: width / 2, y: height / 2, class: "flow-place-name", text: placeName(place),
    }),
  );
}

function boxNode({ x, y, width, height, box }) {
  const condition = conditionOf(box);
  const [speed, lag] = figuresOf(box);
  return svg(
    "g",
    {
      class: "flow-box", transform: `translate(${x} ${y})`,
      "data-stage": box.name, "data-condition": condition,
      "data-counted": box.lost === null ? "no" : "yes",
    },
    svg("title", { text: `${box.name}: ${speed}, ${lag}, ${verdictOf(box)}` }),
    svg("rect", { width, height, rx: 10 }),
    svg("text", { x: 12, y: 20, class: "flow-box-name", text: box.name }),
    svg("text", { x: 12, y: 39, class: "flow-box-rate", text: speed }),
    svg("text", { x: 12, y: 57, class: "flow-box-lag", text: lag }),
    svg("text", { x: 12, y: 75, class: "flow-box-verdict", text: verdictOf(box) }),
  );
}
