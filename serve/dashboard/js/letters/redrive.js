// Sends dead letters through again: what would happen first, then for real.

import { askBeforeActing } from "../action_dialog.js";
import { sendJson } from "../api_client.js";
import { element, setText } from "../elements.js";
import { count, plural } from "../format.js";

const PATH = "/api/v1/dead-letters/redrive";
const MOST_REASONS = 8;
const MOST_NAMED = 3;

/**
 * Asks whether to redrive; the dry run says what it would do.
 *
 * @param {import("../page_context.js").PageContext} page
 * @param {object} wish {partition, offset}, or {reason, pipeline, sensor} of which some
 * @param {string} what it is, as words
 * @returns {Promise<boolean>} whether it was done
 */
export async function redrive(page, wish, what) {
  const forecast = element("p", {
    class: "forecast",
    role: "status",
    text: "Looking what would happen …",
  });
  const refused = element("ul", { class: "quiet-note refused" });
  const { confirm, closed, dialog } = askBeforeActing(page, {
    title: `Redrive ${what}?`,
    content: [
      element("p", {
        text:
          "The bytes go once more to the pipeline that could not process them. Do it when the " +
          "cause is mended: what fails again becomes a new dead letter. None goes through twice.",
      }),
      forecast,
      refused,
    ],
    verb: "Redrive",
    done: `Asked to redrive ${what}.`,
    act: () => sendJson("POST", PATH, { ...wish, dry_run: false }),
  });
  confirm.disabled = true;
  try {
    const found = await sendJson("POST", PATH, { ...wish, dry_run: true });
    setText(forecast, forecastWords(found));
    refused.append(...reasonsOf(found.refused));
    confirm.disabled = found.requested === 0;
    if (found.requested > 0) setText(confirm, `Redrive ${found.requested}`);
  } catch (error) {
    if (page.endedBy(error)) dialog.close();
    else setText(forecast, `It cannot be told what would happen. ${error.message}`);
  }
  return closed;
}

function forecastWords({ matched, requested, already, refusals, more }) {
  const parts = [`${plural(matched, "letter")} found: ${count(requested)} would go through again`];
  if (already > 0) parts.push(`${count(already)} did already`);
  if (refusals > 0) parts.push(`${count(refusals)} cannot`);
  const rest = more ? " There are more than one time takes: redrive again afterwards." : "";
  return `${parts.join(", ")}.${rest}`;
}

/** Why some can't go through: a line for each reason, with the first places. */
function reasonsOf(refused) {
  const places = Map.groupBy(refused, ({ why }) => why);
  const lines = [...places].map(([why, letters]) => {
    const first = letters.slice(0, MOST_NAMED);
    const named = first.map(({ partition, offset }) => `${partition}/${offset}`);
    const more = letters.length > MOST_NAMED ? " and others" : "";
    return `${count(letters.length)}: ${why} (${named.join(", ")}${more})`;
  });
  return lines.slice(0, MOST_REASONS).map((text) => element("li", { text }));
}
