// Asks for the parts of one session: what it was, its windows, samples and velocities of a span.

import { UnavailableError, getJson } from "../api_client.js";

const MOST_WINDOW_PAGES = 20;
const MOST_POINTS = 2_000;
const LEAST_POINTS = 200;

export class ReplaySource {
  /** @param {string} sessionId */
  constructor(sessionId) {
    this.path = `/api/v1/sessions/${encodeURIComponent(sessionId)}`;
  }

  async session() {
    return (await getJson(this.path)).body;
  }

  /** @returns {Promise<{windows: object[], note: string}>} motion windows in the order of time */
  async windows() {
    const windows = [];
    let [cursor, note, pages] = ["", "", 0];
    do {
      const query = cursor ? `?cursor=${encodeURIComponent(cursor)}` : "";
      const { body } = await getJson(`${this.path}/windows${query}`);
      windows.push(...body.windows);
      cursor = body.next_cursor ?? "";
      if (body.complete === false) note = body.note ?? "Some windows could not be read.";
      pages += 1;
    } while (cursor && pages < MOST_WINDOW_PAGES);
    if (cursor) note = "Only the first windows of this long session are shown.";
    const motion = windows.filter((window) => (window.kind ?? "motion") === "motion");
    return { windows: motion.sort((a, b) => a.start_us - b.start_us), note };
  }

  /** @param {[number, number]} range seconds @param {number} points about as many as pixels */
  async samples(range, points) {
    return (await getJson(`${this.path}/samples?${query(range, points)}`)).body;
  }

  /** @returns {Promise<object|null>} null where no model looked at this session */
  async predictions(range, points) {
    try {
      return (await getJson(`${this.path}/predictions?${query(range, points)}`)).body;
    } catch (error) {
      if (error instanceof UnavailableError && error.status === 404) return null;
      throw error;
    }
  }
}

function query([from, to], points) {
  return new URLSearchParams({
    points: String(Math.round(Math.max(LEAST_POINTS, Math.min(MOST_POINTS, points)))),
    from_us: String(Math.floor(from * 1e6)),
    to_us: String(Math.ceil(to * 1e6)),
  });
}
