"""Records of our topics as an engineer reads them: one object, or one line of words, for each.

Pure. A record of transformed samples becomes one entry for each sensor in it.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from pipelines import topics
from pipelines.frame_scanner import scan_payload
from pipelines.json_payload.forms import InvalidPayloadError, is_json, read_json
from pipelines.ledger import LEDGER_KEY
from serve.live_messages import rows_by_sensor, window_columns

_SHOWN_BYTES = 24
_LEDGER_COUNTS = (
    ("frames", "transformed", "duplicates", "heartbeats", "dead_letters", "samples"),
    ("records", "windows", "sessions_started", "sessions_closed", "events", "dead_letters"),
)
"""What is shown of a ledger: of the first line of which it has all."""


class Record(NamedTuple):
    """A record as read from Kafka; ``timestamp_ms`` since the epoch."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]


class Entry(NamedTuple):
    """What is shown of a record: fields for programs, words for people."""

    sensor_id: str | None
    fields: dict[str, Any]
    words: str


class Everyone(Mapping[str, None]):
    """Contains every sensor."""

    def __contains__(self, _: object) -> bool:
        return True

    def __getitem__(self, _: str) -> None:
        return None

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def entries(record: Record) -> Iterator[Entry]:
    """Give what there is to show of a record; ticks and other books of the runtime give nothing."""
    if record.headers.get(topics.CONTENT_TYPE) == topics.TICK_TYPE.encode():
        return
    yield from _READERS[record.topic](record)


def line(record: Record, entry: Entry) -> str:
    """Return one line for people: when, where, what."""
    at = datetime.fromtimestamp(record.timestamp_ms / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]
    return f"{at} {record.partition}@{record.offset} {entry.sensor_id or '-'}  {entry.words}"


def json_line(record: Record, entry: Entry) -> str:
    """Return one JSON object for programs."""
    head = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp_ms": record.timestamp_ms,
        "sensor_id": entry.sensor_id,
    }
    return orjson.dumps({**head, **entry.fields}, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def _raw(record: Record) -> Iterator[Entry]:
    payload = record.value or b""
    if is_json(payload):
        yield _raw_json(record, payload)
        return
    frames, dead = scan_payload(payload)
    words = [f"{len(payload)} B"]
    words += [
        f"frame {f.base_sample_number} +{f.num_samples} at {f.timestamp_us} us" for f in frames
    ]
    words += [f"{d.reason} in bytes {d.start}-{d.end}" for d in dead]
    fields = {
        "received_us": int(record.headers.get("received-us", b"0")),
        "frames": [frame._asdict() for frame in frames],
        "dead": [span._asdict() for span in dead],
        "payload_hex": payload.hex(),
    }
    yield Entry(_text(record.key), fields, ", ".join(words))


def _raw_json(record: Record, payload: bytes) -> Entry:
    try:
        readings = read_json(payload)
        lead = readings.lead
        count = 0 if lead is None else len(lead.time_ns)
        words = f"{readings.form} JSON, {count} readings from {readings.begin_ns // 1000} us"
    except InvalidPayloadError as error:
        words = str(error)
    fields = {
        "received_us": int(record.headers.get("received-us", b"0")),
        "json": payload.decode(errors="replace"),
    }
    return Entry(_text(record.key), fields, f"{len(payload)} B, {words}")


def _transformed(record: Record) -> Iterator[Entry]:
    for sensor_id, rows in rows_by_sensor(record.value or b"", Everyone()):
        number, accl, gyro = rows["sample_index"], rows["accl_mag"], rows["gyro_mag"]
        words = (
            f"boot {rows['boot'][-1]} samples {number[0]}-{number[-1]} ({len(number)})  "
            f"acceleration {accl.min():.3f}-{accl.max():.3f} g  "
            f"rotation {gyro.min():.3f}-{gyro.max():.3f} rad/s"
        )
        yield Entry(sensor_id, {"columns": rows}, words)


def _aggregated(record: Record) -> Iterator[Entry]:
    window = {name: column[0] for name, column in window_columns(record.value or b"").items()}
    words = (
        f"{window['kind']} window {window['start_us']}-{window['end_us']} us  "
        f"samples {window['samples']} {_of_window(window)}  closed by {window['closed_by']}"
    )
    yield Entry(_text(record.key), {"window": orjson.loads(record.value or b"{}")}, words)


def _of_window(window: Mapping[str, Any]) -> str:
    if window["kind"] == "velocity":
        return (
            f"resets {window['resets']} skipped {window['skipped']}  "
            f"at most {window['velocity_max']:.3f} m/s, {window['distance_m']:.3f} m, "
            f"moving {window['moving_share']:.0%}  "
            f"model {window['model_name']} {window['model_version']}"
        )
    return (
        f"gaps {window['gaps']} late {window['late']}  "
        f"acceleration {window['acc_mag_min']:.3f}-{window['acc_mag_max']:.3f} g"
    )


def _session(record: Record) -> Iterator[Entry]:
    session = orjson.loads(record.value or b"{}")
    by = f" by {session['closed_by']}" if session["event"] == "closed" else ""
    travelled = (
        f"  at most {session['velocity_max']:.3f} m/s, {session['distance_m']:.3f} m"
        if session["velocity_windows"]
        else ""
    )
    words = (
        f"session {session['session_id']} {session['event']}{by}, revision {session['revision']}  "
        f"{(session['end_us'] - session['start_us']) / 1e6:g} s in {session['windows']} windows  "
        f"samples {session['samples']} gaps {session['gaps']} late {session['late']}  "
        f"acceleration to {session['acc_mag_max']:.3f} g "
        f"rotation to {session['gyro_mag_max']:.3f} rad/s{travelled}"
    )
    yield Entry(_text(record.key), {"session": session}, words)


def _dead_letter(record: Record) -> Iterator[Entry]:
    value = record.value or b""
    headers = {name: _text(header) or "" for name, header in record.headers.items()}
    shown = value[:_SHOWN_BYTES].hex() + ("..." if len(value) > _SHOWN_BYTES else "")
    words = (
        f"{headers.get('reason')}: {headers.get('detail')}  from {headers.get('source')}  "
        f"{len(value)} B {shown}"
    )
    yield Entry(_text(record.key), {"headers": headers, "payload_hex": value.hex()}, words)


def _control(record: Record) -> Iterator[Entry]:
    key = _text(record.key) or ""
    value = None if record.value is None else orjson.loads(record.value)
    yield Entry(None, {"key": key, "value": value}, f"{key} {_compact(value)}")


def _ledger(record: Record) -> Iterator[Entry]:
    if record.key != LEDGER_KEY or record.value is None:
        return
    ledger = orjson.loads(record.value)
    counts = " ".join(f"{name} {number}" for name, number in _shown(ledger["counts"]).items())
    words = f"slot {ledger['generation']}.{ledger['slot']} next {ledger['next_offset']}  {counts}"
    yield Entry(None, {"ledger": ledger}, words)


def _shown(counts: Mapping[str, int]) -> Mapping[str, int]:
    """Return those counts of a ledger that say most; all of a pipeline that is not known here."""
    for names in _LEDGER_COUNTS:
        if all(name in counts for name in names):
            return {name: counts[name] for name in names}
    return counts


def _compact(value: object) -> str:
    return "taken back" if value is None else orjson.dumps(value).decode()


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")


_READERS: dict[str, Callable[[Record], Iterator[Entry]]] = {
    topics.RAW: _raw,
    topics.TRANSFORMED: _transformed,
    topics.AGGREGATED: _aggregated,
    topics.SESSIONS: _session,
    topics.DEAD_LETTERS: _dead_letter,
    topics.CONTROL: _control,
    topics.SENSOR_PROCESSING_CHANGELOG: _ledger,
    topics.SESSION_AGGREGATION_CHANGELOG: _ledger,
}
