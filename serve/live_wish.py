"""What a client of `live` wants, read from a URL or from a command. Pure.

A command is a JSON object of :class:`Subscribe`, :class:`Unsubscribe` or :class:`Ping`; where to
go on after a lost connection is the last offset that was received of each partition.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pipelines.sensor_topic import sensor_id_fault
from serve.close_codes import FORBIDDEN, POLICY_VIOLATION, ClosingError
from serve.live_streams import STREAMS, Of, Stream
from serve.principal import Principal

Format = Literal["json", "arrow"]
Positions = Mapping[int, int]
"""The last offset received, by partition; -1 before the first."""

_LARGEST_NUMBER = 2**53 - 1
_LARGEST_OFFSET = 2**63 - 2
SubscriptionId = Annotated[int, Meta(ge=0, le=_LARGEST_NUMBER)]


class Subscribe(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="subscribe"
):
    """Begin a subscription; ``id`` is the client's choice."""

    id: SubscriptionId
    stream: str
    sensor: str | None = None
    max_hz: float | None = None
    resume: dict[str, int] | None = msgspec.field(name="from", default=None)


class Unsubscribe(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="unsubscribe"
):
    """End a subscription."""

    id: SubscriptionId


class Ping(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", tag="ping"):
    """Ask for a pong, which comes after all that was said before."""

    id: SubscriptionId | None = None


Command = Subscribe | Unsubscribe | Ping
_COMMANDS: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Subscribe | Unsubscribe | Ping)


class _Id(msgspec.Struct):
    id: SubscriptionId | None = None


@dataclass(frozen=True)
class Wish:
    """One stream, as somebody wants it.

    sensor_id: None, of all sensors or of none
    resume:    empty, from now on; else from after these offsets on
    """

    stream: Stream
    sensor_id: str | None = None
    max_hz: float | None = None
    format: Format = "json"
    resume: Positions = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check it.

        Raises:
            ClosingError: it cannot be fulfilled; the reason says why.
        """
        _check_sensor(self.stream, self.sensor_id)
        if self.max_hz is not None:
            if self.stream.peaks is None:
                raise _bad(f"the stream {self.stream.name} cannot be thinned; leave max_hz out")
            if not (isfinite(self.max_hz) and self.max_hz > 0):
                raise _bad("max_hz must be a number above 0")
        own = {partition for _, partition in self.stream.places(self.sensor_id)}
        for partition, offset in self.resume.items():
            if partition not in own:
                held = ", ".join(map(str, sorted(own)))
                raise _bad(f"no message of this stream is in partition {partition}; try {held}")
            if not -1 <= offset <= _LARGEST_OFFSET:
                raise _bad(f"{offset} is no offset of partition {partition}")

    def check_allowed(self, principal: Principal) -> None:
        """Refuse a sensor outside the log-in's scope.

        Raises:
            ClosingError: 4403.
        """
        if self.sensor_id is not None and not principal.may_see(self.sensor_id):
            raise ClosingError(FORBIDDEN, f"the sensor {self.sensor_id!r} is not yours to see")


def wish_of_path(
    stream: str, sensor_id: str | None, query: Mapping[str, str], format_: Format
) -> Wish:
    """Return what a URL asks for.

    Raises:
        ClosingError: 1008, with what is wrong with it.
    """
    if "from" in query:
        resume = _pairs(query["from"])
    elif "partition" in query or "offset" in query:
        resume = {_number(query, "partition"): _number(query, "offset")}
    else:
        resume = {}
    try:
        max_hz = float(query["max_hz"]) if "max_hz" in query else None
    except ValueError:
        raise _bad("max_hz must be a number above 0") from None
    return Wish(stream_named(stream), sensor_id, max_hz, format_, resume)


def wish_of_command(command: Subscribe, format_: Format) -> Wish:
    """Return what a command asks for; raises ClosingError as :func:`wish_of_path`."""
    return Wish(
        stream_named(command.stream),
        command.sensor,
        command.max_hz,
        format_,
        _positions(command.resume or {}),
    )


def format_of(query: Mapping[str, str]) -> Format:
    """Return the format that a URL asks for; raises ClosingError."""
    match query.get("format", "json"):
        case "json":
            return "json"
        case "arrow":
            return "arrow"
        case other:
            raise _bad(f"no format {other!r}; there are json, arrow")


def parse_command(text: str) -> Command:
    """Return the command in a message.

    Raises:
        ClosingError: it is none; the reason says where.
    """
    try:
        return _COMMANDS.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise _bad(f"not a command: {error}") from None


def id_of(text: str) -> int | None:
    """Return the subscription that a message which is no command speaks of, where it says so."""
    try:
        return msgspec.json.decode(text, type=_Id).id
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None


def stream_named(name: str) -> Stream:
    """Return a stream; raises ClosingError."""
    if name not in STREAMS:
        raise _bad(f"no such stream; there are {', '.join(STREAMS)}")
    return STREAMS[name]


def _check_sensor(stream: Stream, sensor_id: str | None) -> None:
    if sensor_id is None:
        if stream.of is Of.ONE_SENSOR:
            raise _bad(f"the stream {stream.name} is of one sensor: name it")
        return
    if stream.of is Of.PIPELINES:
        raise _bad(f"the stream {stream.name} is of no sensor")
    why = sensor_id_fault(sensor_id)
    if why is not None:
        raise _bad(f"the sensor id {why}")


def _positions(resume: Mapping[str, int]) -> dict[int, int]:
    """Read ``{"3": 17}`` or ``{"partition": 3, "offset": 17}``."""
    if resume.keys() == {"partition", "offset"}:
        return {resume["partition"]: resume["offset"]}
    found = {}
    for partition, offset in resume.items():
        if not (partition.isascii() and partition.isdecimal()):
            raise _bad(f"{partition[:20]!r} in from is no partition")
        found[int(partition)] = offset
    return found


def _pairs(text: str) -> dict[int, int]:
    """Read ``3:17,4:12``."""
    try:
        return {int(p): int(o) for p, _, o in (pair.partition(":") for pair in text.split(","))}
    except ValueError:
        raise _bad("from must be partition:offset, several with commas between") from None


def _number(query: Mapping[str, str], name: str) -> int:
    try:
        return int(query[name])
    except (KeyError, ValueError):
        raise _bad(f"to resume give partition and offset; {name} must be a whole number") from None


def _bad(reason: str) -> ClosingError:
    return ClosingError(POLICY_VIOLATION, reason)
