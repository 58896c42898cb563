"""Which rows of which topic are sought, alike in Kafka's records and the archive's files. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from cluster.trace.bisection import Key
from pipelines import topics
from pipelines.partitioner import partition_of
from pipelines.sinks.sink_offsets import Place

SENSOR = "sensor_id"


class Wanted(NamedTuple):
    """Rows of a topic of one sensor.

    condition:   of the rows that are meant; columns are those of the archive's schemas
    keyed:       of the rows whose keys rise along the partition
    key_columns: what makes a row's key
    key:         no row with a lesser key is meant
    beyond:      once a row's key is larger than this, none that is meant follows
    bounds:      smallest and largest value of columns of the rows that are meant
    """

    topic: str
    sensor_id: str
    condition: pc.Expression
    keyed: pc.Expression
    key_columns: tuple[str, ...]
    key: Key
    beyond: Key
    bounds: Mapping[str, tuple[int, int]]

    @property
    def place(self) -> Place:
        """The partition that holds them."""
        return Place(self.topic, partition_of(self.sensor_id))


class Sighting(NamedTuple):
    """One row that was found.

    written_us: Kafka's time of its record; None where it was found in the archive
    file:       path in the archive; None where it was found in Kafka
    """

    row: Mapping[str, Any]
    offset: int
    written_us: int | None
    file: str | None


_MAGNITUDE = 2**62


def sample_rows(topic: str, sensor_id: str, boot: int, sample: int, margin: int) -> Wanted:
    """Return one sample among transformed ones or predictions; ``margin``: numbers out of order."""
    mine = pc.field(SENSOR) == sensor_id
    return Wanted(
        topic,
        sensor_id,
        mine & (pc.field("boot") == boot) & (pc.field("sample_index") == sample),
        mine,
        ("boot", "sample_index"),
        (boot, sample),
        (boot, sample + margin),
        {"boot": (boot, boot), "sample_index": (sample, sample)},
    )


def rows_of_record(sensor_id: str, raw_offset: int) -> Wanted:
    """Return the transformed samples that a raw record brought; they lie in its order."""
    came_of = pc.field("raw_offset")
    return Wanted(
        topics.TRANSFORMED,
        sensor_id,
        (pc.field(SENSOR) == sensor_id) & (came_of == raw_offset),
        came_of >= 0,
        ("raw_offset",),
        (raw_offset,),
        (raw_offset,),
        {"raw_offset": (raw_offset, raw_offset)},
    )


def window_rows(
    sensor_id: str, kind: str, boot: int, timestamp_us: int, longest_us: int, margin_us: int
) -> Wanted:
    """Return the window of a kind that holds a time; ``longest_us``: of a window."""
    mine = (pc.field(SENSOR) == sensor_id) & (pc.field("kind") == kind)
    start, end = pc.field("start_us"), pc.field("end_us")
    holds = (start <= timestamp_us) & (end > timestamp_us) & (pc.field("boot") == boot)
    return Wanted(
        topics.AGGREGATED,
        sensor_id,
        mine & holds,
        mine,
        ("boot", "start_us"),
        (boot, timestamp_us - longest_us),
        (boot, timestamp_us + margin_us),
        {"start_us": (timestamp_us - longest_us, timestamp_us)},
    )


def session_rows(sensor_id: str, timestamp_us: int) -> Wanted:
    """Return the events of the session that holds a time, from the first that reaches it on."""
    mine = pc.field(SENSOR) == sensor_id
    start, end = pc.field("start_us"), pc.field("end_us")
    return Wanted(
        topics.SESSIONS,
        sensor_id,
        mine & (start <= timestamp_us) & (end > timestamp_us),
        mine,
        ("end_us",),
        (timestamp_us + 1,),
        (_MAGNITUDE,),
        {"start_us": (-_MAGNITUDE, timestamp_us), "end_us": (timestamp_us + 1, _MAGNITUDE)},
    )


def largest_key(wanted: Wanted, rows: pa.Table) -> Key | None:
    """Return the largest key among rows; None where none of them is keyed."""
    keyed = rows.filter(wanted.keyed).select(list(wanted.key_columns))
    if not len(keyed):
        return None
    columns = [column.to_pylist() for column in keyed.columns]
    return max(zip(*columns, strict=True))


def smallest_key(wanted: Wanted, rows: pa.Table) -> Key | None:
    """Return the smallest key among rows; None where none of them is keyed."""
    keyed = rows.filter(wanted.keyed).select(list(wanted.key_columns))
    if not len(keyed):
        return None
    columns = [column.to_pylist() for column in keyed.columns]
    return min(zip(*columns, strict=True))
