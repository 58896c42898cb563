"""The two JSON forms that a device may publish instead of frames, and what is wrong with others.

The plain form is ours (``schemas/phone-payload.schema.json``); the other is what the app Sensor
Logger publishes (https://github.com/tszheichoi/awesome-sensor-logger, PUSHING.md and UNITS.md).
``docs/phones.md`` describes both.
"""

from typing import Annotated, Any, Final

import msgspec
import numpy as np

from pipelines.frame_format import (
    ACC_G,
    GYRO_RAD_S,
    INVALID_JSON,
    INVALID_PAYLOAD,
    MAG_GAUSS,
    MAGIC,
)
from pipelines.json_payload.readings import Channel, Readings, series_of

STANDARD_GRAVITY: Final = 9.80665
"""One g in m/s^2."""
MICROTESLA_A_GAUSS: Final = 100

MAX_DEPTH: Final = 32
"""Objects and arrays within each other; both forms need four."""
MAX_READINGS: Final = 20_000
MAX_TIME_NS: Final = 2**62
"""In the year 2116."""
MAX_VALUE: Final = 1e6
"""Of any reading, in the form's unit: what is larger is no measurement."""
MAX_HOLE_NS: Final = 2_000_000_000
"""Readings further apart are no signal that could be interpolated."""
MAX_SPAN_NS: Final = 60_000_000_000
MAX_COVERED_US: Final = (MAX_SPAN_NS + 2 * MAX_HOLE_NS) // 1000
"""What a payload covers at most: its span, and the time for which its last readings are held."""
_MAX_DETAIL: Final = 300

PLAIN: Final = "plain"
SENSOR_LOGGER: Final = "Sensor Logger"

_Value = Annotated[float, msgspec.Meta(ge=-MAX_VALUE, le=MAX_VALUE)]
_Vector = tuple[_Value, _Value, _Value]
_Rows = list[tuple[int, tuple[float, float, float]]]


class InvalidPayloadError(Exception):
    """A JSON payload that is none: ``reason`` of the dead letter, and its ``detail``."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail[:_MAX_DETAIL]


class _Sample(msgspec.Struct, forbid_unknown_fields=True):
    t_us: Annotated[int, msgspec.Meta(ge=0, le=MAX_TIME_NS // 1000)]
    acc: _Vector | None = None
    gyro: _Vector | None = None
    mag: _Vector | None = None


class _Plain(msgspec.Struct, forbid_unknown_fields=True):
    samples: Annotated[list[_Sample], msgspec.Meta(min_length=1, max_length=MAX_READINGS)]


class _Reading(msgspec.Struct):
    name: str
    # The app writes a number; where it exports the same readings to a file, digits in a string.
    time: (
        Annotated[int, msgspec.Meta(ge=0, le=MAX_TIME_NS)]
        | Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,19}\Z")]
    )
    values: Any = None


class _Message(msgspec.Struct):
    payload: Annotated[list[_Reading], msgspec.Meta(min_length=1, max_length=MAX_READINGS)]


class _Xyz(msgspec.Struct):
    x: _Value
    y: _Value
    z: _Value


_CHANNELS: Final = frozenset(
    {
        "accelerometer",
        "gravity",
        "totalacceleration",
        "gyroscope",
        "gyroscopeuncalibrated",
        "magnetometer",
        "magnetometeruncalibrated",
    }
)
"""What is read of Sensor Logger. Not `accelerometeruncalibrated`, which is in g on one phone and in
m/s^2 on another."""


def is_json(payload: bytes) -> bool:
    """Whether a payload is to be read as JSON and not as frames.

    JSON holds no control character, so what holds a frame's magic is none, however it begins.
    """
    return payload[:1] in (b"{", b"[") and MAGIC not in payload


def read_json(payload: bytes) -> Readings:
    """Return the readings of a JSON payload.

    Raises:
        InvalidPayloadError: it is no JSON, or not of one of the two forms.
    """
    depth = _depth(payload)
    if depth > MAX_DEPTH:
        detail = f"objects and arrays lie {depth} deep within each other, more than {MAX_DEPTH}"
        raise InvalidPayloadError(INVALID_PAYLOAD, detail)
    try:
        found = msgspec.json.decode(payload)
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidPayloadError(INVALID_JSON, str(error)) from None
    try:
        if isinstance(found, dict) and "samples" in found:
            readings = _plain(msgspec.convert(found, _Plain))
        elif isinstance(found, dict) and "payload" in found:
            readings = _sensor_logger(msgspec.convert(found, _Message))
        else:
            raise InvalidPayloadError(
                INVALID_PAYLOAD,
                "$: expected an object with `samples` (the plain form) or `payload` "
                "(Sensor Logger's)",
            )
    except msgspec.ValidationError as error:
        raise InvalidPayloadError(INVALID_PAYLOAD, str(error)) from None
    _check_times(readings)
    return readings


def _depth(payload: bytes) -> int:
    """Return how deep objects and arrays lie within each other, outside of strings."""
    plain = payload.replace(b"\\\\", b"").replace(b'\\"', b"")
    characters = np.frombuffer(plain, np.uint8)
    outside = np.cumsum(characters == ord('"')) % 2 == 0
    opens = (characters == ord("{")) | (characters == ord("["))
    closes = (characters == ord("}")) | (characters == ord("]"))
    steps = np.where(outside, opens.astype(np.int64) - closes, 0)
    return int(np.cumsum(steps).max(initial=0))


def _plain(message: _Plain) -> Readings:
    rows: dict[str, _Rows] = {"acc": [], "gyro": [], "mag": []}
    for sample in message.samples:
        time_ns = sample.t_us * 1000
        for name, vector in (("acc", sample.acc), ("gyro", sample.gyro), ("mag", sample.mag)):
            if vector is not None:
                rows[name].append((time_ns, vector))
    return Readings(
        _channel(ACC_G, rows["acc"]),
        _channel(GYRO_RAD_S, rows["gyro"]),
        _channel(MAG_GAUSS, rows["mag"]),
        min(sample.t_us for sample in message.samples) * 1000,
        PLAIN,
    )


def _sensor_logger(message: _Message) -> Readings:
    rows: dict[str, _Rows] = {name: [] for name in _CHANNELS}
    first_ns = MAX_TIME_NS
    for i, reading in enumerate(message.payload):
        time_ns = int(reading.time)
        if time_ns > MAX_TIME_NS:
            detail = f"Expected `int` <= {MAX_TIME_NS} - at `$.payload[{i}].time`"
            raise InvalidPayloadError(INVALID_PAYLOAD, detail)
        first_ns = min(first_ns, time_ns)
        name = reading.name.lower()
        if name in rows:
            rows[name].append((time_ns, _xyz(reading.values, i)))
    acc = [rows["totalacceleration"]]
    if not acc[0]:
        acc = [rows["accelerometer"], rows["gravity"]]
    return Readings(
        _channel(STANDARD_GRAVITY * ACC_G, *acc),
        _channel(GYRO_RAD_S, rows["gyroscope"] or rows["gyroscopeuncalibrated"]),
        _channel(
            MICROTESLA_A_GAUSS * MAG_GAUSS, rows["magnetometer"] or rows["magnetometeruncalibrated"]
        ),
        first_ns,
        SENSOR_LOGGER,
    )


def _xyz(values: Any, index: int) -> tuple[float, float, float]:
    try:
        found = msgspec.convert(values, _Xyz)
    except msgspec.ValidationError as error:
        where = f"$.payload[{index}].values"
        text = str(error)
        detail = text.replace("`$", f"`{where}") if "`$" in text else f"{text} - at `{where}`"
        raise InvalidPayloadError(INVALID_PAYLOAD, detail) from None
    return found.x, found.y, found.z


def _channel(unit: float, *rows: _Rows) -> Channel:
    return Channel(tuple(series_of(one) for one in rows if one), unit)


def _check_times(readings: Readings) -> None:
    """See that the readings which say what time is covered lie close enough for it."""
    lead = readings.lead
    if lead is None or len(lead.time_ns) == 1:
        return
    span_ns = int(lead.time_ns[-1] - lead.time_ns[0])
    if span_ns > MAX_SPAN_NS:
        detail = f"the readings span {span_ns / 1e9:g} s, more than {MAX_SPAN_NS / 1e9:g}"
        raise InvalidPayloadError(INVALID_PAYLOAD, detail)
    hole_ns = np.diff(lead.time_ns)
    widest = int(hole_ns.argmax())
    if hole_ns[widest] > MAX_HOLE_NS:
        detail = (
            f"no reading for {int(hole_ns[widest]) / 1e9:g} s after {int(lead.time_ns[widest])} ns,"
            f" more than {MAX_HOLE_NS / 1e9:g}: send what comes after it in another payload"
        )
        raise InvalidPayloadError(INVALID_PAYLOAD, detail)
