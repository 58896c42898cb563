"""WebSocket clients that note when each frame's samples arrive."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson
from websockets.asyncio.client import connect

from pipelines.settings import Settings
from serve.auth import new_token

_OPEN_TIMEOUT_S = 20.0
_TOKEN_HOURS = 12.0


class Arrival(NamedTuple):
    """One frame's samples at a client; ``arrived_us`` on this machine's clock."""

    sensor_id: str
    sample_index: int
    partition: int
    offset: int
    raw_offset: int
    arrived_us: int


class Watchers:
    """Clients of /ws/transformed, one for each sensor."""

    def __init__(self, settings: Settings, sensors: Sequence[str]) -> None:
        self._sensors = sensors
        self._base = f"ws://{settings.serve.host}:{settings.serve.port}/ws/transformed/"
        self._token = new_token(settings, _TOKEN_HOURS)
        self._connected = 0
        self.arrivals: list[Arrival] = []
        self.dropped: dict[str, int] = {}

    @property
    def connected(self) -> bool:
        """Whether every client has its connection."""
        return self._connected == len(self._sensors)

    async def watch(self) -> None:
        """Receive until cancelled."""
        async with asyncio.TaskGroup() as group:
            for sensor in self._sensors:
                group.create_task(self._watch(sensor))

    async def _watch(self, sensor: str) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        url = self._base + quote(sensor, safe="")
        async with connect(
            url, additional_headers=headers, compression=None, open_timeout=_OPEN_TIMEOUT_S
        ) as socket:
            self._connected += 1
            async for message in socket:
                self._note(sensor, orjson.loads(message), time.time_ns() // 1000)

    def _note(self, sensor: str, message: dict[str, Any], arrived_us: int) -> None:
        self.dropped[sensor] = message["dropped"]
        columns = message["columns"]
        place = message["partition"], message["offset"]
        frame = None
        for raw_offset, sample in zip(columns["raw_offset"], columns["sample_index"], strict=True):
            if raw_offset != frame:
                frame = raw_offset
                self.arrivals.append(Arrival(sensor, sample, *place, raw_offset, arrived_us))
