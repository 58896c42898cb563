// The labels of one sensor: names and values that operators give it.

import { getJson, sendJson } from "../api_client.js";
import { element, setText } from "../elements.js";

export class LabelEditor {
  /** @param {import("../page_context.js").PageContext} page @param {string} sensorId */
  constructor(page, sensorId) {
    this.page = page;
    this.path = `/api/v1/sensors/${encodeURIComponent(sensorId)}`;
    this.list = element("ul", { class: "chips" });
    this.note = element("p", { class: "quiet-note" });
    this.alarm = element("p", { class: "alarm", role: "alert", hidden: true });
    this.name = field("Name", "limb");
    this.value = field("Value", "left wrist");
    this.add = element("button", { type: "submit", class: "plain-button", text: "Set label" });
    this.form = element(
      "form",
      { class: "inline-form", submit: (event) => this.#submit(event) },
      this.name.node,
      this.value.node,
      this.add,
    );
    this.node = element(
      "section",
      { class: "sheet-section", "aria-label": "Labels" },
      element("h3", { class: "panel-subtitle", text: "Labels" }),
      this.list,
      this.note,
      this.form,
      this.alarm,
    );
    this.controls = [this.add, this.name.input, this.value.input];
    this.#settle();
  }

  /** @param {Object<string, string>} labels */
  show(labels) {
    this.#settle();
    const names = Object.keys(labels);
    setText(this.note, this.page.access.refusal("operator") ?? "");
    if (names.length === 0 && this.page.access.may("operator")) {
      setText(this.note, "None yet. A label says what a sensor is for: limb, person, firmware.");
    }
    const said = JSON.stringify(labels) + this.page.access.may("operator");
    if (said === this.said) return;
    this.said = said;
    this.list.replaceChildren(...names.map((name) => this.#chip(name, labels[name])));
  }

  #chip(name, value) {
    const remove = element("button", {
      type: "button",
      class: "chip-remove",
      text: "×",
      "aria-label": `Remove the label ${name}`,
      click: () => this.#set({ [name]: null }, `The label ${name} is removed.`),
    });
    return element(
      "li",
      { class: "chip" },
      element("span", { text: `${name}: ${value}` }),
      this.page.access.may("operator") ? remove : "",
    );
  }

  #settle() {
    for (const control of this.controls) this.page.access.settle(control, "operator");
  }

  #submit(event) {
    event.preventDefault();
    const [name, value] = [this.name.input.value.trim(), this.value.input.value.trim()];
    if (name === "" || value === "") return this.#fail("Give the label a name and a value.");
    this.#set({ [name]: value }, `The label ${name} is set.`);
  }

  async #set(labels, done) {
    this.alarm.hidden = true;
    try {
      // What somebody else changed meanwhile is not overwritten unseen.
      const { etag } = await getJson(this.path);
      const ifSame = etag ? { "if-match": etag } : {};
      const answer = await sendJson("PATCH", this.path, { labels }, ifSame);
      this.page.say(done);
      this.name.input.value = this.value.input.value = "";
      if (answer.labels) this.show(answer.labels);
    } catch (error) {
      if (!this.page.endedBy(error)) this.#fail(`That was not done. ${error.message}`);
    }
  }

  #fail(words) {
    setText(this.alarm, words);
    this.alarm.hidden = false;
  }
}

function field(title, placeholder) {
  const input = element("input", {
    class: "field",
    placeholder,
    maxlength: 64,
    autocomplete: "off",
  });
  const node = element("label", { class: "field-label" }, element("span", { text: title }), input);
  return { input, node };
}
