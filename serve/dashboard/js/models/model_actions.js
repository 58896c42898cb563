// Promotes a version of a model or goes back to the one before, for who may, after a question.

import { askBeforeActing } from "../action_dialog.js";
import { sendJson } from "../api_client.js";
import { element } from "../elements.js";

const pathOf = (name, verb) => `/api/v1/models/${encodeURIComponent(name)}/${verb}`;

/** @returns {Promise<boolean>} whether it was done */
export function promote(page, model, version) {
  const { closed } = askBeforeActing(page, {
    title: `Promote ${model.name} ${version}?`,
    content: [
      element("p", {
        text:
          `${version} takes the place of ${model.stable ?? "none"} as the stable version. ` +
          "Every sensor gets it between two transactions, and every prediction says which " +
          "version made it. Rolling back brings the one before again.",
      }),
    ],
    verb: "Promote",
    done: `${model.name} ${version} is the stable version.`,
    act: () => sendJson("POST", pathOf(model.name, "promote"), { version }),
  });
  return closed;
}

/** @returns {Promise<boolean>} whether it was done */
export function rollBack(page, model) {
  const before = model.previous ?? "The version that was stable before";
  const { closed } = askBeforeActing(page, {
    title: `Roll ${model.name} back?`,
    content: [
      element("p", { text: `${before} takes the place of ${model.stable} as the stable version.` }),
    ],
    verb: "Roll back",
    done: `${model.name} is rolled back.`,
    harmful: true,
    act: () => sendJson("POST", pathOf(model.name, "rollback")),
  });
  return closed;
}
