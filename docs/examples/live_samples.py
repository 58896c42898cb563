"""The largest acceleration of each message of a sensor, live, also after a lost connection.

`IMUSTREAM_TOKEN=... python docs/examples/live_samples.py ws://127.0.0.1:8000 sensor1 [messages]`
"""

import asyncio
import os
import sys

from serve.clients.python.imustream_live import LiveClient


async def watch(url: str, sensor: str, messages: int) -> None:
    """Print ``messages`` lines."""
    async with LiveClient(url, token=os.environ["IMUSTREAM_TOKEN"], format="arrow") as client:
        samples = client.subscribe("transformed", sensor=sensor)
        async for message in samples:
            number = message.columns["sample_index"]
            peak = message.columns["accl_mag"].max()
            print(f"{sensor} samples {number[0]}-{number[-1]}: {peak:.3f} g", flush=True)
            messages -= 1
            if messages == 0:
                return


if __name__ == "__main__":
    asyncio.run(watch(sys.argv[1], sys.argv[2], int((*sys.argv[3:], "0")[0])))
