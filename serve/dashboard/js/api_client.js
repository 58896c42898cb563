// Asks the api, asks it to change something, and tells apart why it did not answer.

const TIMEOUT_MS = 8_000;

/** 401: the log-in has ended or never was. */
export class SignedOutError extends Error {}

/** No answer, or one that is not the api's. */
export class UnreachableError extends Error {}

/** The api says what is wrong, such as a broker that is away or a role that is missing. */
export class UnavailableError extends Error {
  /** @param {string} detail a sentence for people @param {number} status of HTTP */
  constructor(detail, status) {
    super(detail);
    this.status = status;
  }
}

/**
 * @param {string} path
 * @param {number[]} accepted statuses whose body is an answer too (503 of /health/ready)
 * @returns {Promise<{body: object, serverMs: number, etag: string|null}>} the answer, the server's
 *   clock, and the version of what it tells
 */
export async function getJson(path, accepted = []) {
  const response = await answerOf(path, { headers: { accept: "application/json" } });
  if (!response.ok && !accepted.includes(response.status)) throw await problemOf(response, path);
  const date = Date.parse(response.headers.get("date") ?? "");
  return {
    body: await jsonOf(response, path),
    serverMs: Number.isNaN(date) ? Date.now() : date,
    etag: response.headers.get("etag"),
  };
}

/**
 * Asks for a change, once: where no answer came it is asked again under the same key, by which the
 * api knows it.
 *
 * @param {"POST"|"PATCH"} method
 * @param {string} path
 * @param {object} body
 * @param {Object<string, string>} headers more of them, such as if-match
 * @returns {Promise<object>} what the api answers, {} where that is nothing
 */
export async function sendJson(method, path, body = {}, headers = {}) {
  const request = {
    method,
    headers: {
      accept: "application/json",
      "content-type": "application/json",
      "idempotency-key": newKey(),
      ...headers,
    },
    body: JSON.stringify(body),
  };
  let response;
  try {
    response = await answerOf(path, request);
  } catch (error) {
    if (!(error instanceof UnreachableError)) throw error;
    response = await answerOf(path, request);
  }
  if (!response.ok) throw await problemOf(response, path);
  const type = response.headers.get("content-type") ?? "";
  return type.includes("json") ? jsonOf(response, path) : {};
}

async function answerOf(path, request) {
  let response;
  try {
    response = await fetch(path, {
      ...request,
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (error) {
    throw new UnreachableError(`${path} gave no answer: ${error.message}`);
  }
  if (response.status === 401) throw new SignedOutError("the log-in has ended");
  return response;
}

async function jsonOf(response, path) {
  try {
    return await response.json();
  } catch {
    throw new UnreachableError(`${path} answered what is no JSON`);
  }
}

/** The api's problems are RFC 9457: their `detail` is a sentence for people. */
async function problemOf(response, path) {
  try {
    return new UnavailableError((await response.json()).detail ?? "", response.status);
  } catch {
    return new UnreachableError(`${path} answered ${response.status}`);
  }
}

/** `crypto.randomUUID` is there in secure contexts only: not for a phone in the same network. */
function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
