"""The WebSocket protocol under `live`: bounds and pings as set, which Serve has no option for.

Serve starts uvicorn itself and leaves its WebSocket side as it comes: messages of 16 MB from a
client, a ping each 20 s, 1011 when it is not answered, and compression wherever a client offers
it, as browsers do, which is done anew for each client of one message. uvicorn looks its protocol
up by name when it starts, after the replica was made; :func:`install` puts ours there.
"""

import asyncio
from typing import Any

import uvicorn.config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from pipelines.settings import LiveSettings
from serve.close_codes import NO_PONG

_ABORT_S = 2.0
"""How long a client that answers no ping has to take the close."""

_settings = LiveSettings()


class LiveSocket(WebSocketsSansIOProtocol):
    """uvicorn's own, with the bounds of ``live``."""

    def __init__(self, config: Any, *arguments: Any, **named: Any) -> None:
        config.ws_max_size = _settings.max_message_bytes
        config.ws_ping_interval = _settings.ping_interval_s
        config.ws_ping_timeout = _settings.ping_timeout_s
        config.ws_per_message_deflate = False
        super().__init__(config, *arguments, **named)

    def keepalive_timeout(self) -> None:
        """Close a client that did not answer in time, and let it wait for nothing."""
        self.pong_timer = None
        self.pending_ping_payload = None
        if self.close_sent or self.transport.is_closing():
            return
        self.conn.fail(NO_PONG, f"no pong within {_settings.ping_timeout_s:g} s")
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.close()
        # What a stuck client does not read would keep its connection for many minutes.
        asyncio.get_running_loop().call_later(_ABORT_S, self.transport.abort)


def install(settings: LiveSettings) -> None:
    """Have uvicorn use it in this process; call it before the server starts."""
    global _settings  # noqa: PLW0603
    _settings = settings
    uvicorn.config.WS_PROTOCOLS["auto"] = f"{__name__}:{LiveSocket.__name__}"
