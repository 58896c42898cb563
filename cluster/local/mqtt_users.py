"""Our own users of the local MQTT broker: their names, and passwords kept in the state folder."""

from typing import Final

from pydantic import SecretStr

from cluster.local.state_folder import StateFolder
from pipelines.mqtt_access import MqttUser
from pipelines.settings import MqttSettings

RESERVED_PREFIX: Final = "imustream-"
"""No device's name begins so: on the listeners for devices the name is the client id too, and
whoever connects with the bridge's client id takes its session over."""


def fill_in_users(settings: MqttSettings, folder: StateFolder) -> None:
    """Name every user that the settings do not name, with its password."""
    for user in MqttUser:
        prefix = "" if user is MqttUser.BRIDGE else f"{user}_"
        if getattr(settings, f"{prefix}username") is None:
            setattr(settings, f"{prefix}username", RESERVED_PREFIX + user)
            setattr(settings, f"{prefix}password", SecretStr(folder.mqtt_password(user)))
