"""The MQTT topic of a sensor, ``imu/{sensor_id}``, and which sensor ids there may be."""

import unicodedata

PREFIX = "imu/"
SUBSCRIPTION = PREFIX + "+"
MAX_SENSOR_ID_CHARACTERS = 64
_RESERVED = frozenset("/+#")


def sensor_topic(sensor_id: str) -> str:
    """Return the topic that a sensor publishes its frames to."""
    return PREFIX + sensor_id


def sensor_id_fault(sensor_id: str) -> str | None:
    """Return why this can be no sensor id, in words that follow its name; None where it can."""
    if not sensor_id:
        return "is empty"
    if len(sensor_id) > MAX_SENSOR_ID_CHARACTERS:
        return f"has {len(sensor_id)} characters, more than {MAX_SENSOR_ID_CHARACTERS}"
    for character in sensor_id:
        if character in _RESERVED:
            return f"holds {character!r}"
        if unicodedata.category(character) in ("Cc", "Cs"):
            return f"holds the control character U+{ord(character):04X}"
    return None


COMMANDS_SUBSCRIPTION = PREFIX + "+/commands"
REPLIES_SUBSCRIPTION = "$share/imustream-api/" + PREFIX + "+/replies"
"""Shared, so that each reply goes to one replica of the api."""


def commands_topic(sensor_id: str) -> str:
    """Return the topic on which a sensor is told what to do."""
    return f"{PREFIX}{sensor_id}/commands"


def replies_topic(sensor_id: str) -> str:
    """Return the topic on which a sensor answers."""
    return f"{PREFIX}{sensor_id}/replies"


def sensor_of_reply(topic: str) -> str | None:
    """Return who answers on this topic; None where it is no topic of replies."""
    prefix, _, rest = topic.partition("/")
    sensor_id, _, last = rest.partition("/")
    if prefix + "/" != PREFIX or last != "replies" or sensor_id_fault(sensor_id) is not None:
        return None
    return sensor_id
