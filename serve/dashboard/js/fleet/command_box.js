// Commands to one device: sent over MQTT, and what it replied.

import { getJson, sendJson } from "../api_client.js";
import { element, setAttribute, setText } from "../elements.js";
import { timeOfDay } from "../format.js";

const EVERY_MS = 2_000;
const EXPIRES_S = { value: 60, min: 1, max: 3_600 };
const STATES_SAY = {
  sent: "no device was listening: it will not arrive",
  acknowledged: "on its way, no reply yet",
  replied: "replied",
  expired: "expired without a reply",
};

/** @param {string} text @returns {object} @throws {Error} in words for who typed it */
export function argumentsOf(text) {
  if (text.trim() === "") return {};
  let found;
  try {
    found = JSON.parse(text);
  } catch (error) {
    throw new Error(`The arguments are no JSON: ${error.message}`);
  }
  if (typeof found !== "object" || found === null || Array.isArray(found)) {
    throw new Error('The arguments must be a JSON object, such as {"on": true}.');
  }
  return found;
}

export class CommandBox {
  /** @param {import("../page_context.js").PageContext} page @param {string} sensorId */
  constructor(page, sensorId) {
    this.page = page;
    this.path = `/api/v1/sensors/${encodeURIComponent(sensorId)}/commands`;
    this.name = element("input", { class: "field", placeholder: "identify", maxlength: 64 });
    this.arguments = element("input", { class: "field mono", placeholder: '{"seconds": 3}' });
    this.seconds = element("input", { class: "field", type: "number", ...EXPIRES_S });
    this.send = element("button", { type: "submit", class: "plain-button", text: "Send command" });
    this.alarm = element("p", { class: "alarm", role: "alert", hidden: true });
    this.note = element("p", { class: "quiet-note", text: "Asking for the commands …" });
    this.list = element("ul", { class: "commands" });
    this.node = element(
      "section",
      { class: "sheet-section", "aria-label": "Commands" },
      element("h3", { class: "panel-subtitle", text: "Commands" }),
      element(
        "form",
        { class: "inline-form", submit: (event) => this.#submit(event) },
        labelled("Command", this.name),
        labelled("Arguments, JSON", this.arguments),
        labelled("Valid for, s", this.seconds),
        this.send,
      ),
      this.alarm,
      this.note,
      this.list,
    );
    this.controls = [this.send, this.name, this.arguments, this.seconds];
    this.#settle();
    this.poll = page.poll(
      () => getJson(this.path),
      EVERY_MS,
      {
        answer: ({ body }) => this.#show(body.commands),
        failed: (error) => setText(this.note, `The commands cannot be read now. ${error.message}`),
      },
      () => this.node.isConnected,
    );
  }

  close() {
    this.poll.stop();
  }

  #settle() {
    for (const control of this.controls) this.page.access.settle(control, "operator");
  }

  async #submit(event) {
    event.preventDefault();
    this.alarm.hidden = true;
    const name = this.name.value.trim();
    try {
      if (name === "") throw new Error("Name the command that the device knows.");
      const expires_s = Number(this.seconds.value);
      const wish = { name, arguments: argumentsOf(this.arguments.value), expires_s };
      await sendJson("POST", this.path, wish);
      this.page.say(`The command ${name} is sent.`);
      await this.poll.now();
    } catch (error) {
      if (this.page.endedBy(error)) return;
      setText(this.alarm, `Nothing was sent. ${error.message}`);
      this.alarm.hidden = false;
    }
  }

  #show(commands) {
    this.#settle();
    const refusal = this.page.access.refusal("operator");
    setText(this.note, refusal ?? (commands.length > 0 ? "" : "None was sent yet."));
    while (this.list.children.length > commands.length) this.list.lastElementChild.remove();
    commands.forEach((command, index) => {
      if (!this.list.children[index]) this.list.append(makeRow());
      fill(this.list.children[index], command);
    });
  }
}

function labelled(title, input) {
  return element("label", { class: "field-label" }, element("span", { text: title }), input);
}

function makeRow() {
  return element(
    "li",
    { class: "command-row" },
    element("span", { class: "command-name mono" }),
    element("span", { class: "command-state" }),
    element("span", { class: "command-time" }),
    element("code", { class: "command-reply mono" }),
  );
}

function fill(row, command) {
  const [name, state, time, reply] = row.children;
  const failed = command.reply?.ok === false;
  setAttribute(row, "data-state", failed ? "refused" : command.state);
  const hasArguments = Object.keys(command.arguments ?? {}).length > 0;
  const said = hasArguments ? ` ${JSON.stringify(command.arguments)}` : "";
  setText(name, `${command.name}${said}`);
  setText(state, failed ? "the device refused it" : (STATES_SAY[command.state] ?? command.state));
  setText(time, timeOfDay(command.sent_us / 1e6));
  setText(reply, command.reply ? JSON.stringify(command.reply.result ?? command.reply) : "");
}
