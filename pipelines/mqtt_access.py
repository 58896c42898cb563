"""How each of our programs gets into the MQTT broker: its own user, and TLS where it is set."""

import ssl
from enum import StrEnum
from typing import Final

from paho.mqtt.client import Client
from pydantic import SecretStr

from pipelines.errors import ConfigurationError
from pipelines.settings import MqttSettings

SYS_SUBSCRIPTION: Final = "$SYS/broker/#"
"""Where Mosquitto tells of itself."""


class MqttUser(StrEnum):
    """Our programs, each with rights of its own; devices have theirs beside them."""

    BRIDGE = "bridge"
    API = "api"
    SIMULATOR = "simulator"
    MONITOR = "monitor"
    ADMIN = "admin"


def credential(settings: MqttSettings, user: MqttUser) -> tuple[str, str | None] | None:
    """Return user name and password of a program; the bridge's where it has none of its own."""
    prefix = "" if user is MqttUser.BRIDGE else f"{user}_"
    name: str | None = getattr(settings, f"{prefix}username")
    if name is None:
        return None if user is MqttUser.BRIDGE else credential(settings, MqttUser.BRIDGE)
    password: SecretStr | None = getattr(settings, f"{prefix}password")
    return name, None if password is None else password.get_secret_value()


def let_in(client: Client, settings: MqttSettings, user: MqttUser) -> None:
    """Give a client the credential of a program, and TLS where it is set.

    Raises:
        ConfigurationError: a file of certificates cannot be read.
    """
    found = credential(settings, user)
    if found is not None:
        client.username_pw_set(*found)
    if settings.tls_ca_file is None:
        return
    own, key = settings.tls_certificate_file, settings.tls_key_file
    try:
        client.tls_set(
            str(settings.tls_ca_file),
            None if own is None else str(own),
            None if key is None else str(key),
        )
    except (OSError, ValueError, ssl.SSLError) as error:
        files = ", ".join(str(file) for file in (settings.tls_ca_file, own, key) if file)
        raise ConfigurationError(
            f"settings mqtt.tls_ca_file, tls_certificate_file and tls_key_file: {files} cannot be "
            f"used: {error}"
        ) from None
