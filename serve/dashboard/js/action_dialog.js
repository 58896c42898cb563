// Asks before something is changed, does it, and says in place why it could not be done.

import { element, setText } from "./elements.js";

/**
 * Shows a dialog until it is closed. Escape, "Cancel" and a click beside it close it without doing
 * anything; what was focused before is focused again.
 *
 * @param {import("./page_context.js").PageContext} page
 * @param {{title: string, content: Node[], verb: string, done: string, harmful?: boolean,
 *   act: () => Promise<void>}} question `verb`: the button's text; `done`: what is said afterwards
 * @returns {{dialog: HTMLDialogElement, confirm: HTMLButtonElement, closed: Promise<boolean>}}
 *   `closed` tells whether it was done
 */
export function askBeforeActing(page, { title, content, verb, done, harmful = false, act }) {
  const heading = element("h2", { class: "dialog-title", text: title });
  const alarm = element("p", { class: "alarm", role: "alert", hidden: true });
  const cancel = element("button", { type: "button", class: "plain-button", text: "Cancel" });
  const confirm = element("button", {
    type: "button",
    class: harmful ? "strong-button harmful" : "strong-button",
    text: verb,
  });
  const dialog = element(
    "dialog",
    { class: "dialog", "aria-label": title },
    heading,
    ...content,
    alarm,
    element("div", { class: "dialog-buttons" }, cancel, confirm),
  );
  const closed = new Promise((resolve) => {
    let wasDone = false;
    cancel.addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(wasDone);
    });
    confirm.addEventListener("click", async () => {
      confirm.disabled = true;
      alarm.hidden = true;
      try {
        await act();
        wasDone = true;
        page.say(done);
        dialog.close();
      } catch (error) {
        if (page.endedBy(error)) return dialog.close();
        setText(alarm, `That was not done. ${error.message}`);
        alarm.hidden = false;
        confirm.disabled = false;
      }
    });
  });
  document.body.append(dialog);
  dialog.showModal();
  cancel.focus();
  return { dialog, confirm, closed };
}
