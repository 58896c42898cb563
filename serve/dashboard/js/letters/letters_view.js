// The dead letters: what could not be processed, why, and the way to send it through again.

import { getJson } from "../api_client.js";
import { element, setText } from "../elements.js";
import { count, plural } from "../format.js";
import { LetterInspector } from "./letter_inspector.js";
import { LetterTable } from "./letter_table.js";
import { ReasonChoices } from "./reason_choices.js";
import { redrive } from "./redrive.js";

const EVERY_MS = 5_000;
const PAGE = 100;
const MOST = 1_000;

export class LettersView {
  /** @param {HTMLElement} node @param {import("../page_context.js").PageContext} page */
  constructor(node, page) {
    this.page = page;
    /** null until the api has answered @type {object[]|null} */
    this.letters = null;
    this.pages = 1;
    const choose = (texts) => page.view.set({ texts });
    this.reasons = new ReasonChoices((reason) => choose({ reason }));
    this.table = new LetterTable((letter) => choose({ letter }));
    this.sensor = filter("Sensor", (sender) => choose({ sender }));
    this.pipeline = filter("Pipeline", (pipeline) => choose({ pipeline }));
    this.#build(node);
    this.inspector = new LetterInspector(this.aside, page, () => this.#changed());
    this.settleAll = page.access.guard(this.all, "operator", () => this.#whyNotAll());
    this.poll = page.poll(
      () => this.#ask(),
      EVERY_MS,
      { answer: (answer) => this.#show(answer), failed: (error) => this.#fail(error) },
      () => page.view.view === "letters",
    );
  }

  /** Brings the filters in line with the address. */
  update() {
    const { view } = this.page;
    if (view.view !== "letters") return;
    if (document.activeElement !== this.sensor) this.sensor.value = view.text("sender");
    if (document.activeElement !== this.pipeline) this.pipeline.value = view.text("pipeline");
    this.reasons.show({}, view.text("reason"));
    this.inspector.show(view.text("letter"));
    this.table.mark(view.text("letter"));
    if (this.query !== this.shownQuery) {
      this.pages = 1;
      this.#describe();
    }
    this.poll.now();
  }

  /** The filters as the api takes them; what is empty is left out. */
  get wish() {
    const { view } = this.page;
    const wish = {
      reason: view.text("reason"),
      pipeline: view.text("pipeline"),
      sensor: view.text("sender"),
    };
    return Object.fromEntries(Object.entries(wish).filter(([, value]) => value !== ""));
  }

  get query() {
    return new URLSearchParams(this.wish).toString();
  }

  /** Page after page, as many as are shown: what is new comes at the top. */
  async #ask() {
    const { query, wish } = this;
    const letters = [];
    const reasons = {};
    let [cursor, pages] = ["", 0];
    do {
      const parameters = new URLSearchParams({ ...wish, limit: String(PAGE) });
      if (cursor) parameters.set("cursor", cursor);
      const { body } = await getJson(`/api/v1/dead-letters?${parameters}`);
      letters.push(...body.dead_letters);
      for (const [name, number] of Object.entries(body.reasons)) {
        reasons[name] = (reasons[name] ?? 0) + number;
      }
      cursor = body.next_cursor ?? "";
      pages += 1;
    } while (cursor && pages < this.pages);
    return { query, letters, reasons, hasMore: cursor !== "" };
  }

  #show({ query, letters, reasons, hasMore }) {
    if (query !== this.query) {
      setTimeout(() => this.poll.now());
      return;
    }
    Object.assign(this, { letters, hasMore, shownQuery: query });
    this.alarm.hidden = true;
    this.table.show(letters);
    this.inspector.follow(letters);
    this.table.mark(this.page.view.text("letter"));
    this.reasons.show(reasons, this.page.view.text("reason"));
    this.#describe();
  }

  #fail(error) {
    setText(this.alarm, `The dead letters cannot be read now. ${error.message}`);
    this.alarm.hidden = false;
    this.#describe();
  }

  #changed() {
    this.inspector.refresh();
    this.poll.now();
  }

  #describe() {
    const fresh = this.query === this.shownQuery;
    const some = (this.letters?.length ?? 0) > 0;
    this.table.node.hidden = !some;
    this.more.hidden = !(some && this.hasMore && this.letters.length < MOST);
    this.settleAll();
    setText(this.note, this.#words(fresh, some));
  }

  #whyNotAll() {
    const isNarrowed = Object.keys(this.wish).length > 0;
    if (!isNarrowed) return "Choose a reason, a sensor or a pipeline first.";
    return this.letters?.length > 0 ? null : "There is none.";
  }

  #words(fresh, some) {
    if (!this.alarm.hidden) return "";
    if (!fresh) return "Asking for the dead letters …";
    if (some && this.hasMore) return `The newest ${count(this.letters.length)} are shown.`;
    if (some) return plural(this.letters.length, "dead letter");
    return Object.keys(this.wish).length > 0
      ? "No dead letter matches. Choose All, or clear the filters."
      : "No dead letter: everything that came could be processed.";
  }

  async #redriveAll() {
    if (await redrive(this.page, this.wish, "all that match")) this.#changed();
  }

  #showMore() {
    this.pages += 1;
    this.poll.now();
  }

  #build(node) {
    const button = (text, more, click) =>
      element("button", { type: "button", class: `plain-button ${more}`.trim(), text, click });
    this.all = button("Redrive all that match", "push-right", () => this.#redriveAll());
    this.more = button("Show more", "", () => this.#showMore());
    this.alarm = element("p", { class: "alarm", role: "alert", hidden: true });
    this.note = element("p", { class: "quiet-note", role: "status" });
    this.aside = element("aside", {
      class: "card inspector",
      "aria-label": "The chosen dead letter",
      hidden: true,
    });
    const foot = element("div", { class: "sessions-foot" }, this.note, this.more);
    node.append(
      element(
        "section",
        { class: "view-section", "aria-labelledby": "letters-title" },
        element("h2", { id: "letters-title", class: "view-title", text: "Dead letters" }),
        element("p", {
          class: "quiet-note",
          text:
            "What could not be processed is kept as it came, with the reason. Once the cause is " +
            "mended, redrive sends it through again.",
        }),
        this.reasons.node,
        element("div", { class: "toolbar" }, this.sensor, this.pipeline, this.all),
        this.alarm,
        element(
          "div",
          { class: "letters-columns" },
          element("div", { class: "letters-list" }, this.table.node, foot),
          this.aside,
        ),
      ),
    );
  }
}

function filter(label, changed) {
  const input = element("input", {
    class: "search filter",
    type: "search",
    placeholder: label,
    "aria-label": `Only of this ${label.toLowerCase()}`,
    autocomplete: "off",
    spellcheck: "false",
    change: () => changed(input.value.trim()),
  });
  return input;
}
