// The largest acceleration of each message of a sensor, live, also after a lost connection.
//
//   IMUSTREAM_TOKEN=... node docs/examples/live_samples.mjs ws://127.0.0.1:8000 sensor1 [messages]
//
// A page does the same; logged in by its cookie, it leaves the token out.

import { LiveClient } from "../../serve/clients/javascript/imustream.js";

const [url, sensor, messages = "0"] = process.argv.slice(2);
let left = Number(messages);

const client = new LiveClient(url, {
  token: process.env.IMUSTREAM_TOKEN,
  refused: (error) => {
    console.error(error.message);
    process.exitCode = 1;
  },
});
client.subscribe("transformed", { sensor }, {
  message: ({ columns }) => {
    const [first, last] = [columns.sample_index[0], columns.sample_index.at(-1)];
    const peak = Math.max(...columns.accl_mag).toFixed(3);
    console.log(`${sensor} samples ${first}-${last}: ${peak} g`);
    left -= 1;
    if (left === 0) client.close();
  },
});
