// Who is logged in, and what their role lets them do.

export const ROLES = ["viewer", "operator", "admin"];

export class Access {
  constructor() {
    /** null until the api has answered @type {{subject: string, role: string,
     *   sensors: string[]|null, expires_us: number}|null} */
    this.identity = null;
    /** @type {Set<() => void>} */
    this.listeners = new Set();
  }

  /** @param {object} identity of /api/v1/me */
  update(identity) {
    const before = JSON.stringify(this.identity);
    this.identity = identity;
    if (before !== JSON.stringify(identity)) for (const listener of this.listeners) listener();
  }

  /** Calls back now, and whenever somebody else or another role is known. */
  whenKnown(listener) {
    this.listeners.add(listener);
    listener();
  }

  may(role) {
    return this.identity !== null && rank(this.identity.role) >= rank(role);
  }

  /** Why something that needs a role can't be done; null where it can. */
  refusal(role) {
    if (this.identity === null) return "It is not known yet what you may do.";
    if (this.may(role)) return null;
    return `This needs the role ${role}; yours is ${this.identity.role}.`;
  }

  /**
   * Disables a control that may not be used now, with the reason as its title.
   *
   * @param {HTMLButtonElement|HTMLInputElement} control
   * @param {string} role that it needs
   * @param {() => string|null} otherwise another reason why it can't be used now
   */
  settle(control, role, otherwise = () => null) {
    const reason = this.refusal(role) ?? otherwise();
    control.disabled = reason !== null;
    control.title = reason ?? "";
  }

  /** Settles a control of the page's own now, and whenever the role is another. */
  guard(control, role, otherwise) {
    const settle = () => this.settle(control, role, otherwise);
    this.whenKnown(settle);
    return settle;
  }
}

function rank(role) {
  return ROLES.indexOf(role);
}
