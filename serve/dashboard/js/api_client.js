// Asks the api, and tells apart why it did not answer.

const TIMEOUT_MS = 8_000;

/** 401: the log-in has ended or never was. */
export class SignedOutError extends Error {}

/** No answer, or one that is not the api's. */
export class UnreachableError extends Error {}

/** The api says what it lacks, such as a broker that is away. */
export class UnavailableError extends Error {}

/**
 * @param {string} path
 * @param {number[]} accepted statuses whose body is an answer too (503 of /health/ready)
 * @returns {Promise<{body: object, serverMs: number}>} the answer, and the server's clock
 */
export async function getJson(path, accepted = []) {
  let response;
  try {
    response = await fetch(path, {
      headers: { accept: "application/json" },
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (error) {
    throw new UnreachableError(`${path} gave no answer: ${error.message}`);
  }
  if (response.status === 401) throw new SignedOutError("the log-in has ended");
  if (!response.ok && !accepted.includes(response.status)) throw await problemOf(response, path);
  const date = Date.parse(response.headers.get("date") ?? "");
  try {
    return { body: await response.json(), serverMs: Number.isNaN(date) ? Date.now() : date };
  } catch {
    throw new UnreachableError(`${path} answered what is no JSON`);
  }
}

/** The api's problems are RFC 9457: their `detail` is a sentence for people. */
async function problemOf(response, path) {
  try {
    return new UnavailableError((await response.json()).detail ?? "");
  } catch {
    return new UnreachableError(`${path} answered ${response.status}`);
  }
}
