// Commands to this phone and what it answers.

/**
 * @param {string} text the message
 * @param {number} nowUs
 * @returns {{command: object, reply: object|null}|null} null for what is no command
 */
export function answer(text, nowUs, about) {
  let command;
  try {
    command = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof command !== "object" || command === null) return null;
  if (typeof command.id !== "string" || typeof command.name !== "string") return null;
  if (!(nowUs <= command.expires_us)) return { command, reply: null };
  const results = { ping: { received_us: nowUs }, identify: about };
  const known = Object.hasOwn(results, command.name);
  const result = known ? results[command.name] : { error: `unknown command ${command.name}` };
  return { command, reply: { id: command.id, ok: known, result } };
}
