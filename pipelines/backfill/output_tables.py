"""What an operator put out, as tables of the archive's schemas.

There is no output topic behind a backfill: ``offset`` is the offset in imu-data-all of the record
that made the row, which does not depend on how the input is cut into batches.
"""

from collections.abc import Iterable
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import topics
from pipelines.archive.schemas import AGGREGATED, DEAD_LETTERS, TIME_COLUMN, TRANSFORMED
from pipelines.backfill.time_span import TimeSpan
from pipelines.records import Output

_HOUR_US: Final = 3_600_000_000
_SORTED_BY: Final = {
    topics.TRANSFORMED: ("sensor_id", "timestamp_us", "boot", "sample_index"),
    topics.AGGREGATED: ("sensor_id", "start_us", "boot", "kind", "offset"),
    topics.DEAD_LETTERS: ("sensor_id", "failed_us", "offset", "byte_range"),
}
"""Sensor, then time, then what makes the order the same however the rows came."""


def tables_of(outputs: Iterable[Output], span: TimeSpan) -> dict[str, pa.Table]:
    """Return the rows of ``outputs`` that lie in the span, by topic; ticks have no rows."""
    streams: list[pa.Table] = []
    windows: list[dict[str, Any]] = []
    letters: list[dict[str, Any]] = []
    for output in outputs:
        if output.topic == topics.DEAD_LETTERS:
            letters.append(_letter(output))
        elif output.topic == topics.TRANSFORMED and bytes(output.value[:1]) != b"{":
            streams.append(_samples(output.value))
        elif output.topic == topics.AGGREGATED and output.key is not None:
            windows.append(_window(output.value))
    tables = {
        topics.TRANSFORMED: pa.concat_tables(streams) if streams else TRANSFORMED.empty_table(),
        topics.AGGREGATED: pa.Table.from_pylist(windows, AGGREGATED),
        topics.DEAD_LETTERS: pa.Table.from_pylist(letters, DEAD_LETTERS),
    }
    return {topic: _within(topic, table, span) for topic, table in tables.items()}


def by_hour(topic: str, table: pa.Table) -> dict[int, pa.Table]:
    """Return the rows of each hour, which begins at the key (us), sorted by sensor and time."""
    if not len(table):
        return {}
    order = [(name, "ascending") for name in _SORTED_BY[topic]]
    table = table.take(pc.sort_indices(table, sort_keys=order))
    # Not pc.divide: it rounds towards zero, and a device may be set before 1970.
    hours = table[TIME_COLUMN[topic]].to_numpy() // _HOUR_US
    found = sorted(set(hours.tolist()))
    if len(found) == 1:
        return {found[0] * _HOUR_US: table}
    return {hour * _HOUR_US: table.filter(pa.array(hours == hour)) for hour in found}


def _within(topic: str, table: pa.Table, span: TimeSpan) -> pa.Table:
    column = table[TIME_COLUMN[topic]]
    if span.from_us is not None:
        table = table.filter(pc.greater_equal(column, span.from_us))
        column = table[TIME_COLUMN[topic]]
    if span.to_us is not None:
        table = table.filter(pc.less(column, span.to_us))
    return table


def _samples(stream: Any) -> pa.Table:
    table = pa.ipc.open_stream(stream).read_all()
    table = table.set_column(0, "sensor_id", table["sensor_id"].cast(pa.string()))
    return table.append_column("offset", table["raw_offset"]).cast(TRANSFORMED)


def _window(value: bytes) -> dict[str, Any]:
    window: dict[str, Any] = orjson.loads(value)
    for magnitude in ("acc_mag", "gyro_mag"):
        for name, number in window.pop(magnitude).items():
            window[f"{magnitude}_{name}"] = number
    window["offset"] = window["through_offset"] - 1
    return window


def _letter(output: Output) -> dict[str, Any]:
    headers = {name.replace("-", "_"): value.decode() for name, value in output.headers}
    return {
        **headers,
        "sensor_id": None if output.key is None else output.key.decode(),
        "failed_us": int(headers["failed_us"]),
        "value": bytes(output.value),
        "offset": int(headers["source"].rsplit("/", 1)[1]),
    }
