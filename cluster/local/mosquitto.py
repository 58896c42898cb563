"""Eclipse Mosquitto, the MQTT broker: plain on loopback, TLS and WebSockets for devices."""

import json
import os
import secrets
from pathlib import Path
from typing import Final

import psutil

from cluster.local.certificates import CertificateFiles, make_certificates
from cluster.local.mqtt_rights import SALT_BYTES, with_our_users
from cluster.local.server import Port, Server, awaited_port
from cluster.local.state_folder import write_private
from cluster.setup import tools
from pipelines.errors import ConfigurationError
from pipelines.mqtt_access import MqttUser, credential
from pipelines.settings import Settings

AUTOSAVE_S = 30
"""Mosquitto keeps queues in memory and writes them down this often, and when it stops."""

MAX_PACKET_BYTES = 1_000_000
"""The broker refuses a larger message: it would not fit into a Kafka record."""

LOOPBACK: Final = "127.0.0.1"


def mosquitto_server(settings: Settings, folder: Path) -> Server:
    """Mosquitto, its persisted sessions, credentials and certificates under ``folder``.

    Raises:
        ConfigurationError: it would let anyone of the network in.
    """
    if settings.local.mqtt_anonymous and settings.local.mqtt_bind != LOOPBACK:
        raise ConfigurationError(
            f"settings local.mqtt_anonymous and local.mqtt_bind={settings.local.mqtt_bind} would "
            f"let anyone of the network publish as any sensor; use one or the other"
        )
    program = tools.mosquitto()
    home = folder / "mosquitto"
    mqtt = settings.mqtt
    return Server(
        name="mosquitto",
        title="Mosquitto",
        command=[str(program.path), "-c", str(home / "mosquitto.conf")],
        environment=program.environment,
        prepare=lambda: _prepare(settings, home),
        awaited=lambda: awaited_port(mqtt.port),
        ports=(
            Port(mqtt.port, "IMUSTREAM_MQTT__PORT"),
            Port(mqtt.tls_port, "IMUSTREAM_MQTT__TLS_PORT"),
            Port(mqtt.websocket_port, "IMUSTREAM_MQTT__WEBSOCKET_PORT"),
        ),
    )


def tls_folder(state_folder: Path) -> Path:
    """Where the broker's certificates are kept."""
    return state_folder / "mosquitto" / "tls"


def _prepare(settings: Settings, home: Path) -> None:
    data = home / "data"
    data.mkdir(parents=True, exist_ok=True)
    expiry_days = max(1, -(-settings.mqtt.session_expiry_s // 86_400))
    tls = make_certificates(home / "tls", settings.local.mqtt_bind)
    lines = [
        # Started as root it would change to a user who owns no data.
        *(["user root"] if os.geteuid() == 0 else []),
        *_access(settings, home),
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
        *_listeners(settings, tls),
    ]
    (home / "mosquitto.conf").write_text("\n".join(lines) + "\n")


def _access(settings: Settings, home: Path) -> list[str]:
    """Return how the broker knows whom to let in, after writing down our own users."""
    if settings.local.mqtt_anonymous:
        return ["allow_anonymous true"]
    file = home / "dynamic-security.json"
    kept = json.loads(file.read_text()) if file.is_file() else None
    users = []
    for user in MqttUser:
        name, password = credential(settings.mqtt, user) or ("", None)
        users.append((user, name, password or "", secrets.token_bytes(SALT_BYTES)))
    write_private(file, json.dumps(with_our_users(kept, users)))
    return [
        "allow_anonymous false",
        f"plugin {tools.mosquitto_security_plugin()}",
        f"plugin_opt_config_file {file}",
    ]


def _listeners(settings: Settings, tls: CertificateFiles) -> list[str]:
    """Return our own programs' listener, on loopback, and the two for devices."""
    mqtt, bind = settings.mqtt, settings.local.mqtt_bind
    # A device can then not take over the session of another, whose name it does not have.
    named = [] if settings.local.mqtt_anonymous else ["use_username_as_clientid true"]
    return [
        f"listener {mqtt.port} {LOOPBACK}",
        f"listener {mqtt.tls_port} {bind}",
        f"certfile {tls.certificate}",
        f"keyfile {tls.key}",
        *named,
        f"listener {mqtt.websocket_port} {_interface_of(bind)}",
        "protocol websockets",
        *named,
    ]


def _interface_of(address: str) -> str:
    """Return the network interface of an address of this machine.

    Mosquitto's WebSockets want its name: for an IPv4 address they listen on all interfaces.

    Raises:
        ConfigurationError: no interface has the address.
    """
    if address in ("0.0.0.0", "::"):
        return address
    for name, addresses in psutil.net_if_addrs().items():
        if any(each.address == address for each in addresses):
            return name
    raise ConfigurationError(
        f"setting local.mqtt_bind: no network interface has the address {address}; "
        "correct IMUSTREAM_LOCAL__MQTT_BIND or the TOML file"
    )
