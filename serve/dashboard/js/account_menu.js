// Who is logged in: a button of the top bar, and what it opens.

import { sendJson } from "./api_client.js";
import { element, setText } from "./elements.js";
import { dateTime, span } from "./format.js";

const ROLES_SAY = {
  viewer: "may look at everything",
  operator: "may pause, redrive, label and send commands",
  admin: "may do everything, also promote models",
};
const SOON_MS = 10 * 60_000;

export class AccountMenu {
  /**
   * @param {{button: HTMLElement, menu: HTMLElement}} nodes
   * @param {import("./page_context.js").PageContext} page
   */
  constructor(nodes, page) {
    Object.assign(this, nodes);
    this.page = page;
    this.name = element("p", { class: "account-name" });
    this.role = element("p", { class: "quiet-note" });
    this.sensors = element("p", { class: "quiet-note" });
    this.expires = element("p", { class: "quiet-note" });
    this.alarm = element("p", { class: "alarm", role: "alert", hidden: true });
    this.menu.append(
      this.name,
      this.role,
      this.sensors,
      this.expires,
      element("a", { class: "menu-link", href: "/device", text: "Use this phone as a sensor" }),
      element("a", { class: "menu-link", href: "/docs", text: "The api and its description" }),
      element("button", {
        type: "button",
        class: "plain-button",
        text: "Log out",
        click: () => this.#logOut(),
      }),
      this.alarm,
    );
    page.access.whenKnown(() => this.update());
  }

  /** Brings the words up to date, as time goes on. */
  update() {
    const identity = this.page.access.identity;
    this.button.hidden = identity === null;
    if (identity === null) return;
    const { subject, role, sensors, expires_us } = identity;
    const leftMs = expires_us / 1000 - Date.now() - this.page.summaries.serverAheadMs;
    const isSoon = Number.isFinite(leftMs) && leftMs < SOON_MS;
    setText(this.button.querySelector(".account-role"), role);
    this.button.classList.toggle("ends-soon", isSoon);
    setText(this.name, subject);
    setText(this.role, `${role}: ${ROLES_SAY[role] ?? ""}`);
    setText(this.sensors, sensors === null ? "sees all sensors" : `sees ${sensors.join(", ")}`);
    setText(this.expires, `logged in until ${dateTime(expires_us)}`);
    if (isSoon && !this.warned) {
      this.warned = true;
      const words = `Your log-in ends in ${span(leftMs / 1000)}. A new link logs you in again.`;
      this.page.say(words);
      this.button.title = words;
    }
  }

  async #logOut() {
    this.alarm.hidden = true;
    try {
      await sendJson("POST", "/logout");
      this.page.signedOut("You are logged out");
    } catch (error) {
      if (this.page.endedBy(error)) return;
      setText(this.alarm, `You are still logged in. ${error.message}`);
      this.alarm.hidden = false;
    }
  }
}
