"""Eclipse Mosquitto, the MQTT broker."""

import os
from pathlib import Path

from cluster.local.server import Port, Server, awaited_port
from cluster.setup import tools
from pipelines.settings import Settings

AUTOSAVE_S = 30
"""Mosquitto keeps queues in memory and writes them down this often, and when it stops."""

MAX_PACKET_BYTES = 1_000_000
"""The broker refuses a larger message: it would not fit into a Kafka record."""


def mosquitto_server(settings: Settings, folder: Path) -> Server:
    """Mosquitto, its persisted sessions under ``folder``."""
    program = tools.mosquitto()
    home = folder / "mosquitto"
    port = settings.mqtt.port
    return Server(
        name="mosquitto",
        title="Mosquitto",
        command=[str(program.path), "-c", str(home / "mosquitto.conf")],
        environment=program.environment,
        prepare=lambda: _prepare(settings, home),
        awaited=lambda: awaited_port(port),
        ports=(Port(port, "IMUSTREAM_MQTT__PORT"),),
    )


def _prepare(settings: Settings, home: Path) -> None:
    data = home / "data"
    data.mkdir(parents=True, exist_ok=True)
    expiry_days = max(1, -(-settings.mqtt.session_expiry_s // 86_400))
    lines = [
        f"listener {settings.mqtt.port} 127.0.0.1",
        "allow_anonymous true",
        # Started as root it would change to a user who owns no data.
        *(["user root"] if os.geteuid() == 0 else []),
        "persistence true",
        f"persistence_location {data}/",
        f"autosave_interval {AUTOSAVE_S}",
        f"persistent_client_expiration {expiry_days}d",
        # 0 means without limit: what the bridge has not taken is never dropped.
        "max_queued_messages 0",
        "max_queued_bytes 0",
        "max_inflight_messages 0",
        f"max_packet_size {MAX_PACKET_BYTES}",
        "set_tcp_nodelay true",
        "log_dest stdout",
        "log_type error",
        "log_type warning",
    ]
    (home / "mosquitto.conf").write_text("\n".join(lines) + "\n")
