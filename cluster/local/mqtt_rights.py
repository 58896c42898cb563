"""Who may do what at the MQTT broker, as Mosquitto's dynamic security plugin keeps it. Pure.

The plugin reads its file when the broker starts and writes it whenever something changes, as
`imustream devices` does while the broker runs. So our own users are put into what is there.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pipelines.mqtt_access import SYS_SUBSCRIPTION, MqttUser
from pipelines.sensor_topic import (
    COMMANDS_SUBSCRIPTION,
    REPLIES_SUBSCRIPTION,
    SUBSCRIPTION,
    commands_topic,
    replies_topic,
    sensor_topic,
)
from pipelines.ticks import MQTT_TOPIC as TICK_TOPIC

DEVICE_ROLE: Final = "device "
"""Begins the name of the role that each device has for itself."""

# Passwords of ours are random, of 32 bytes: nobody finds one by trying, however fast the hash.
_ITERATIONS: Final = 101
SALT_BYTES: Final = 12

_CONTROL: Final = "$CONTROL/dynamic-security/#"
_PUBLISH, _RECEIVE = "publishClientSend", "publishClientReceive"
_LITERAL, _PATTERN = "subscribeLiteral", "subscribePattern"

_RIGHTS: Final[Mapping[MqttUser, tuple[tuple[str, str], ...]]] = {
    MqttUser.BRIDGE: (
        (_LITERAL, SUBSCRIPTION),
        (_LITERAL, TICK_TOPIC),
        (_PUBLISH, TICK_TOPIC),
    ),
    MqttUser.API: ((_PUBLISH, COMMANDS_SUBSCRIPTION), (_LITERAL, REPLIES_SUBSCRIPTION)),
    MqttUser.SIMULATOR: (
        (_PUBLISH, SUBSCRIPTION),
        (_PUBLISH, replies_topic("+")),
        (_PATTERN, COMMANDS_SUBSCRIPTION),
    ),
    # What begins with $ needs the right to receive too: the default below is not for it.
    MqttUser.MONITOR: ((_LITERAL, SYS_SUBSCRIPTION), (_RECEIVE, SYS_SUBSCRIPTION)),
    MqttUser.ADMIN: ((_PUBLISH, _CONTROL), (_RECEIVE, _CONTROL), (_PATTERN, _CONTROL)),
}


def device_rights(sensor_id: str) -> list[dict[str, Any]]:
    """Return what a device may: publish as itself, answer, and read its own commands."""
    return _acls(
        (
            (_PUBLISH, sensor_topic(sensor_id)),
            (_PUBLISH, replies_topic(sensor_id)),
            (_LITERAL, commands_topic(sensor_id)),
        )
    )


def with_our_users(
    kept: Mapping[str, Any] | None, users: Iterable[tuple[MqttUser, str, str, bytes]]
) -> dict[str, Any]:
    """Return the plugin's file with our users in it; devices stay as they are.

    Args:
        kept: what the file holds, if there is one.
        users: program, user name, password and `SALT_BYTES` of salt of each.
    """
    ours = list(users)
    names = {name for _, name, _, _ in ours}
    roles = {str(user) for user in MqttUser}
    found = kept or {"clients": [], "groups": [], "roles": []}
    return {
        **found,
        "defaultACLAccess": {
            "publishClientSend": False,
            "publishClientReceive": True,
            "subscribe": False,
            "unsubscribe": True,
        },
        "clients": [
            *(_client(*one) for one in ours),
            *(client for client in found["clients"] if client["username"] not in names),
        ],
        "roles": [
            *({"rolename": str(user), "acls": _acls(_RIGHTS[user])} for user in MqttUser),
            *(role for role in found["roles"] if role["rolename"] not in roles),
        ],
    }


def _client(user: MqttUser, name: str, password: str, salt: bytes) -> dict[str, Any]:
    hashed = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    return {
        "username": name,
        "roles": [{"rolename": str(user)}],
        "password": base64.b64encode(hashed).decode(),
        "salt": base64.b64encode(salt).decode(),
        "iterations": _ITERATIONS,
    }


def _acls(rights: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    return [
        {"acltype": kind, "topic": topic, "priority": 0, "allow": True} for kind, topic in rights
    ]
