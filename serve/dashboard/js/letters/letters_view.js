// The dead letters: what could not be processed, why, and the way to send it through again.

import { getJson } from "../api_client.js";
import { element, setAttribute, setText } from "../elements.js";
import { count, dateTime, plural } from "../format.js";
import { LetterInspector } from "./letter_inspector.js";
import { reasonWords } from "./reasons.js";
import { redrive } from "./redrive.js";

const EVERY_MS = 5_000;
const PAGE = 100;
const MOST = 1_000;
const COLUMNS = [
  ["Failed", ""],
  ["Sensor", ""],
  ["Reason", ""],
  ["Pipeline", ""],
  ["Size", "bytes"],
  ["Redriven", ""],
];

export class LettersView {
  /** @param {HTMLElement} node @param {import("../page_context.js").PageContext} page */
  constructor(node, page) {
    this.page = page;
    /** null until the api has answered @type {object[]|null} */
    this.letters = null;
    this.reasons = {};
    this.pages = 1;
    this.#build(node);
    this.inspector = new LetterInspector(this.aside, page, () => this.#changed());
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
    for (const [input, name] of [[this.sensor, "sender"], [this.pipeline, "pipeline"]]) {
      if (document.activeElement !== input) input.value = view.text(name);
    }
    this.#showReasons();
    this.inspector.show(view.text("letter"));
    this.#markChosen();
    if (this.query() !== this.shownQuery) {
      this.pages = 1;
      this.#describe();
    }
    this.poll.now();
  }

  /** The filters as the api takes them. */
  get wish() {
    const { view } = this.page;
    const wish = {
      reason: view.text("reason"), pipeline: view.text("pipeline"), sensor: view.text("sender"),
    };
    return Object.fromEntries(Object.entries(wish).filter(([, value]) => value !== ""));
  }

  query() {
    return new URLSearchParams(this.wish).toString();
  }

  /** Page after page, as many as are shown: what is new comes at the top. */
  async #ask() {
    const query = this.query();
    const letters = [];
    const reasons = {};
    let [cursor, pages] = ["", 0];
    do {
      const parameters = new URLSearchParams({ ...this.wish, limit: String(PAGE) });
      if (cursor) parameters.set("cursor", cursor);
      const { body } = await getJson(`/api/v1/dead-letters?${parameters}`);
      letters.push(...body.dead_letters);
      cursor = body.next_cursor ?? "";
      for (const [name, number] of Object.entries(body.reasons)) {
        reasons[name] = (reasons[name] ?? 0) + number;
      }
      pages += 1;
    } while (cursor && pages < this.pages);
    return { query, letters, reasons, hasMore: cursor !== "" };
  }

  #show({ query, letters, reasons, hasMore }) {
    if (query !== this.query()) return void setTimeout(() => this.poll.now());
    // A filter hides the other reasons, and they stay to be chosen.
    this.reasons = { ...this.reasons, ...reasons };
    Object.assign(this, { letters, hasMore, shownQuery: query });
    this.alarm.hidden = true;
    while (this.rows.rows.length > letters.length) this.rows.deleteRow(-1);
    letters.forEach((letter, index) => this.#fill(this.rows.rows[index] ?? this.#addRow(), letter));
    this.#showReasons();
    this.#markChosen();
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
    const fresh = this.query() === this.shownQuery;
    const some = (this.letters?.length ?? 0) > 0;
    this.scroller.hidden = !some;
    this.more.hidden = !(some && this.hasMore && this.letters.length < MOST);
    this.settleAll?.();
    setText(this.note, this.#words(fresh, some));
  }

  #whyNotAll() {
    if (Object.keys(this.wish).length === 0) return "Choose a reason, a sensor or a pipeline first.";
    return this.letters?.length > 0 ? null : "There is none.";
  }

  #words(fresh, some) {
    if (!this.alarm.hidden) return "";
    if (!fresh) return "Asking for the dead letters …";
    if (some) {
      const shown = this.hasMore ? `The newest ${count(this.letters.length)} are shown.` : "";
      return shown || plural(this.letters.length, "dead letter");
    }
    return Object.keys(this.wish).length > 0
      ? "No dead letter matches. Choose All, or clear the filters."
      : "No dead letter: everything that came could be processed.";
  }

  #showReasons() {
    const chosen = this.page.view.text("reason");
    const names = Object.keys(this.reasons).sort((a, b) => this.reasons[b] - this.reasons[a]);
    if (chosen && !names.includes(chosen)) names.push(chosen);
    const named = names.map((name) => [name, reasonWords(name), count(this.reasons[name])]);
    const wanted = [["", "All", ""], ...named];
    while (this.choices.children.length > wanted.length) this.choices.lastElementChild.remove();
    wanted.forEach(([name, title, number], index) => {
      const button = this.choices.children[index] ?? this.#addChoice();
      setAttribute(button, "data-reason", name);
      setAttribute(button, "aria-pressed", String(name === chosen));
      setText(button.firstElementChild, title);
      setText(button.lastElementChild, number);
      setAttribute(button, "title", name ? "Among those looked at so far" : "");
    });
  }

  #addChoice() {
    const button = element(
      "button",
      {
        type: "button",
        class: "choice-chip",
        click: () => this.page.view.set({ texts: { reason: button.dataset.reason } }),
      },
      element("span"),
      element("span", { class: "choice-count" }),
    );
    this.choices.append(button);
    return button;
  }

  #build(node) {
    const filter = (label, name) => {
      const input = element("input", {
        class: "search filter",
        type: "search",
        placeholder: label,
        "aria-label": `Only of this ${label.toLowerCase()}`,
        autocomplete: "off",
        spellcheck: "false",
        change: () => this.page.view.set({ texts: { [name]: input.value.trim() } }),
      });
      return input;
    };
    this.sensor = filter("Sensor", "sender");
    this.pipeline = filter("Pipeline", "pipeline");
    this.choices = element("div", { class: "choice-chips", role: "group", "aria-label": "Reason" });
    this.all = element("button", {
      type: "button",
      class: "plain-button push-right",
      text: "Redrive all that match",
      click: async () => {
        if (await redrive(this.page, this.wish, "all that match")) this.#changed();
      },
    });
    this.alarm = element("p", { class: "alarm", role: "alert", hidden: true });
    this.note = element("p", { class: "quiet-note", role: "status" });
    this.more = element("button", {
      type: "button",
      class: "plain-button",
      text: "Show more",
      hidden: true,
      click: () => {
        this.pages += 1;
        this.poll.now();
      },
    });
    this.rows = element("tbody");
    this.scroller = element(
      "div",
      {
        class: "scroller card table-card",
        tabindex: "0",
        role: "group",
        "aria-label": "Dead letters, the newest first",
        hidden: true,
      },
      this.#table(),
    );
    this.aside = element("aside", {
      class: "card inspector",
      "aria-label": "The chosen dead letter",
      hidden: true,
    });
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
        this.choices,
        element("div", { class: "toolbar" }, this.sensor, this.pipeline, this.all),
        this.alarm,
        element(
          "div",
          { class: "letters-columns" },
          element(
            "div",
            { class: "letters-list" },
            this.scroller,
            element("div", { class: "sessions-foot" }, this.note, this.more),
          ),
          this.aside,
        ),
      ),
    );
    this.settleAll = this.page.access.guard(this.all, "operator", () => this.#whyNotAll());
  }

  #table() {
    const heads = COLUMNS.map(([title, unit]) =>
      element(
        "th",
        { scope: "col" },
        element("span", { text: title }),
        unit ? element("span", { class: "column-unit", text: unit }) : "",
      ),
    );
    return element(
      "table",
      { class: "figures listing letters-table" },
      element("thead", {}, element("tr", {}, ...heads)),
      this.rows,
    );
  }

  #addRow() {
    const button = element("button", { type: "button", class: "sensor-link" });
    const row = element(
      "tr",
      {},
      element("th", { scope: "row" }, button),
      ...COLUMNS.slice(1).map(() => element("td")),
    );
    button.addEventListener("click", () =>
      this.page.view.set({ texts: { letter: row.dataset.place } }),
    );
    this.rows.append(row);
    return row;
  }

  #fill(row, letter) {
    const place = `${letter.partition}/${letter.offset}`;
    setAttribute(row, "data-place", place);
    const [failed, ...others] = row.children;
    setText(failed.firstElementChild, dateTime(letter.failed_us));
    setAttribute(failed.firstElementChild, "title", "Show its bytes");
    const texts = [
      letter.sensor_id ?? "unknown",
      reasonWords(letter.reason),
      letter.pipeline,
      count(letter.bytes),
      letter.redriven ? "yes" : "no",
    ];
    texts.forEach((text, index) => setText(others[index], text));
    setAttribute(others[1], "title", letter.detail ?? "");
  }

  #markChosen() {
    const chosen = this.page.view.text("letter");
    for (const row of this.rows.rows) {
      row.classList.toggle("is-chosen", row.dataset.place === chosen && chosen !== "");
    }
  }
}
