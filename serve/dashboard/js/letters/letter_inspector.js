// One dead letter: why, where it came from, its headers and its bytes.

import { getJson } from "../api_client.js";
import { element } from "../elements.js";
import { count, dateTime } from "../format.js";
import { scroller } from "../table_head.js";
import { bytesOf, dumpLines } from "./hex_dump.js";
import { reasonWords } from "./reasons.js";
import { redrive } from "./redrive.js";

export class LetterInspector {
  /**
   * @param {HTMLElement} node
   * @param {import("../page_context.js").PageContext} page
   * @param {() => void} changed
   */
  constructor(node, page, changed) {
    Object.assign(this, { node, page, changed });
    this.place = "";
  }

  /** @param {string} place "partition/offset", or empty for none */
  async show(place) {
    if (place === this.place) return;
    this.place = place;
    this.redriven = undefined;
    this.node.hidden = place === "";
    this.node.replaceChildren();
    if (place === "") return;
    this.node.append(element("p", { class: "quiet-note", text: "Asking for its bytes …" }));
    try {
      const { body } = await getJson(`/api/v1/dead-letters/${place}`);
      if (place !== this.place) return;
      this.redriven = body.redriven;
      this.node.replaceChildren(...this.#content(body));
      // On a phone it stands above the list, out of sight of who pressed a row.
      this.node.scrollIntoView({ block: "nearest" });
      this.page.say(`Shown: the dead letter ${place}, ${reasonWords(body.reason)}.`);
    } catch (error) {
      if (place !== this.place || this.page.endedBy(error)) return;
      const words = `This dead letter cannot be read. ${error.message}`;
      this.node.replaceChildren(element("p", { class: "alarm", role: "alert", text: words }));
    }
  }

  /** Looks whether the slots have redriven it meanwhile. @param {object[]} letters of the list */
  follow(letters) {
    const own = letters.find(({ partition, offset }) => `${partition}/${offset}` === this.place);
    if (own !== undefined && this.redriven !== undefined && own.redriven !== this.redriven) {
      this.refresh();
    }
  }

  /** Asks anew: it was redriven, perhaps. */
  refresh() {
    const { place } = this;
    this.place = "";
    this.show(place);
  }

  #content(letter) {
    const facts = [
      ["Sensor", letter.sensor_id ?? "unknown"],
      ["Failed", dateTime(letter.failed_us)],
      ["Pipeline", letter.pipeline],
      ["Came from", placeWords(letter.source)],
      ["Kept at", `dead-letters, partition ${letter.partition}, offset ${count(letter.offset)}`],
      ["Another try of", letter.redrive_of ? `offset ${count(letter.redrive_of)}` : null],
      ["Code version", letter.code_version],
      ["Redriven", letter.redriven ? "yes" : "no"],
    ];
    return [
      this.#head(letter),
      element("p", { class: "letter-detail", text: letter.detail }),
      element(
        "dl",
        { class: "facts" },
        ...facts.filter(([, value]) => value).map(([name, value]) => fact(name, value)),
      ),
      this.#bytes(letter),
      headersOf(letter.headers),
    ];
  }

  #head(letter) {
    const again = element("button", {
      type: "button",
      class: "plain-button push-right",
      text: "Redrive",
      "aria-label": "Redrive this dead letter",
      click: async () => {
        const { partition, offset } = letter;
        if (await redrive(this.page, { partition, offset }, "this dead letter")) this.changed();
      },
    });
    this.page.access.settle(again, "operator", () =>
      letter.redriven ? "It was redriven already." : letter.not_redriven_because,
    );
    const close = element("button", {
      type: "button",
      class: "icon-button",
      text: "×",
      "aria-label": "Close the dead letter",
      click: () => this.page.view.set({ texts: { letter: "" } }),
    });
    return element(
      "header",
      { class: "inspector-head" },
      element("h3", { class: "panel-title", text: reasonWords(letter.reason) }),
      again,
      close,
    );
  }

  #bytes(letter) {
    const bytes = bytesOf(letter.payload_hex ?? "");
    const cut = bytes.length < letter.bytes ? `, the first ${count(bytes.length)} shown` : "";
    const path = `/api/v1/dead-letters/${letter.partition}/${letter.offset}/payload`;
    return element(
      "section",
      { class: "sheet-section", "aria-label": "Bytes" },
      element(
        "div",
        { class: "inspector-head" },
        element("h4", { class: "panel-subtitle", text: "Bytes" }),
        element("span", { class: "quiet-note", text: `${count(letter.bytes)} bytes${cut}` }),
        element("a", {
          class: "menu-link push-right",
          href: path,
          download: `dead-letter-${letter.partition}-${letter.offset}.bin`,
          text: "Download",
        }),
      ),
      scroller("Bytes of the payload", { class: "hex" }, ...dumpLines(bytes).map(hexLine)),
      element("p", { class: "quiet-note", text: "Marked: 7c 1e, with which every frame begins." }),
    );
  }
}

function hexLine({ offset, cells, ascii }) {
  const bytes = cells.map(({ text, isHead }) =>
    element("span", { class: isHead ? "is-head" : null, text }),
  );
  return element(
    "div",
    { class: "hex-line" },
    element("span", { class: "hex-offset", text: offset }),
    element("span", { class: "hex-bytes" }, ...bytes),
    element("span", { class: "hex-ascii", text: ascii }),
  );
}

function headersOf(headers) {
  const pairs = Object.entries(headers);
  return element(
    "details",
    { class: "more" },
    element("summary", { text: "Headers" }),
    element("dl", { class: "facts" }, ...pairs.map(([name, value]) => fact(name, String(value)))),
  );
}

function placeWords(source) {
  if (!source) return "no record of Kafka";
  return `${source.topic}, partition ${source.partition}, offset ${count(source.offset)}`;
}

function fact(name, value) {
  return element(
    "div",
    { class: "fact" },
    element("dt", { text: name }),
    element("dd", { text: value }),
  );
}
