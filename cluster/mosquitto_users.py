"""`python -m cluster.mosquitto_users FILE`: put our own users into Mosquitto's file of rights.

On a cluster it runs before Mosquitto starts. The users are those that the settings name with a
password of their own; devices, which `imustream devices` has added, stay as they are.
"""

import argparse
import json
import os
import secrets
import sys
from pathlib import Path

from cluster.local.mqtt_rights import SALT_BYTES, with_our_users
from pipelines.errors import ConfigurationError, ImustreamError
from pipelines.mqtt_access import MqttUser
from pipelines.settings import MqttSettings, load_settings


def named_users(settings: MqttSettings) -> list[tuple[MqttUser, str, str]]:
    """Return program, user name and password of each user that has its own.

    Raises:
        ConfigurationError: none has, or one has a name and no password.
    """
    found = []
    for user in MqttUser:
        prefix = "" if user is MqttUser.BRIDGE else f"{user}_"
        name = getattr(settings, f"{prefix}username")
        password = getattr(settings, f"{prefix}password")
        if name is None:
            continue
        if password is None or not password.get_secret_value():
            raise ConfigurationError(
                f"setting mqtt.{prefix}password is missing, and mqtt.{prefix}username is set: "
                f"name the file that holds it in IMUSTREAM_MQTT__{prefix.upper()}PASSWORD_FILE"
            )
        found.append((user, name, password.get_secret_value()))
    if not found:
        raise ConfigurationError("no setting mqtt.*username is set: nobody could use the broker")
    return found


def write_users(settings: MqttSettings, file: Path) -> None:
    """Write the file anew, whole or not at all; raises as :func:`named_users`.

    Raises:
        ConfigurationError: what is there is not Mosquitto's.
    """
    users = [(*user, secrets.token_bytes(SALT_BYTES)) for user in named_users(settings)]
    try:
        kept = json.loads(file.read_text()) if file.is_file() else None
        rights = with_our_users(kept, users)
    except (ValueError, KeyError, TypeError):
        raise ConfigurationError(
            f"{file} is not a file of Mosquitto's dynamic security: restore it from a backup, or "
            "remove it and add the devices again"
        ) from None
    written = file.with_name(f"{file.name}.new")
    with os.fdopen(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(json.dumps(rights))
        out.flush()
        os.fsync(out.fileno())
    written.replace(file)


def main() -> int:
    """Write them; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="plugin_opt_config_file of mosquitto.conf")
    file: Path = parser.parse_args().file
    try:
        settings = load_settings().mqtt
        write_users(settings, file)
        print(f"{file}: {', '.join(name for _, name, _ in named_users(settings))}")
    except ImustreamError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
