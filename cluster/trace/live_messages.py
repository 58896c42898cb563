"""The messages that a WebSocket client of one sensor's samples is sent, with when they came."""

import os
import queue
import threading
import time
from contextlib import ExitStack
from typing import Final
from urllib.parse import quote

import orjson
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from cluster.trace.followed_frame import WEBSOCKET, Arrival
from pipelines.errors import ImustreamError
from pipelines.settings import Settings
from serve.auth import new_token

TOKEN_VARIABLE: Final = "IMUSTREAM_TOKEN"
"""The token for an api that is not this machine's; as `imustream token` prints it there."""

_OPEN_S: Final = 20.0
_TOKEN_HOURS: Final = 1.0


class LiveMessages:
    """Reads in a thread; :attr:`failed` says in words why nothing comes."""

    def __init__(
        self,
        settings: Settings,
        sensor_id: str,
        url: str | None,
        arrived: "queue.Queue[Arrival]",
    ) -> None:
        """Connect to ``url``, an address such as wss://host, or to this machine's api."""
        self.failed: str | None = None
        self._arrived = arrived
        self._open = ExitStack()
        base = url or f"ws://{settings.serve.host}:{settings.serve.port}"
        try:
            token = os.environ.get(TOKEN_VARIABLE) or new_token(settings, _TOKEN_HOURS)
            connection = self._open.enter_context(
                connect(
                    f"{base}/ws/transformed/{quote(sensor_id, safe='')}",
                    additional_headers={"Authorization": f"Bearer {token}"},
                    open_timeout=_OPEN_S,
                    compression=None,
                    max_size=None,
                    proxy=None,
                )
            )
        except (OSError, WebSocketException, ImustreamError, ValueError) as error:
            self.failed = f"no WebSocket at {base}: {error}"
            return
        reading = threading.Thread(
            target=self._read, args=(connection,), name="trace-live", daemon=True
        )
        reading.start()

    def close(self) -> None:
        """End the connection."""
        self._open.close()

    def _read(self, connection: ClientConnection) -> None:
        try:
            for text in connection:
                seen_us = time.time_ns() // 1000
                message = orjson.loads(text)
                if "columns" in message:
                    # A follower that has stopped taking has closed the connection too.
                    self._arrived.put((WEBSOCKET, message, seen_us), timeout=_OPEN_S)
        except (WebSocketException, queue.Full) as error:
            self.failed = f"the WebSocket ended: {error}"
