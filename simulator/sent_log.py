"""The log of every message a fleet published, with the moment it did."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from simulator.schedule import Message

SCHEMA = pa.schema(
    [
        pa.field("sensor_id", pa.string(), nullable=False),
        pa.field("base_sample_number", pa.int64(), nullable=False),
        pa.field("num_samples", pa.int32(), nullable=False),
        pa.field("timestamp_us", pa.int64(), nullable=False),
        pa.field("publish_us", pa.int64(), nullable=False),
        pa.field("outcome", pa.string(), nullable=False),
    ]
)
"""``timestamp_us`` is on the device's clock, ``publish_us`` on this machine's; both microseconds
since the epoch. ``outcome`` is good, reordered, duplicate, bad_crc, cut or heartbeat."""

_ROWS_PER_GROUP = 65_536


class SentLog:
    """Writes the log in row groups as it grows. Close it."""

    def __init__(self, path: Path, sensor_ids: list[str]) -> None:
        self._ids = sensor_ids
        self._writer = pq.ParquetWriter(path, SCHEMA, compression="zstd")
        self._rows: list[tuple[Message, int]] = []

    def add(self, message: Message, publish_us: int) -> None:
        """Note a message and when it was published."""
        self._rows.append((message._replace(payload=b""), publish_us))
        if len(self._rows) >= _ROWS_PER_GROUP:
            self._write()

    def close(self) -> None:
        """Write the rest and finish the file."""
        self._write()
        self._writer.close()

    def _write(self) -> None:
        messages = [message for message, _ in self._rows]
        self._writer.write_table(
            pa.table(
                [
                    [self._ids[message.sensor] for message in messages],
                    [message.base for message in messages],
                    [message.samples for message in messages],
                    [message.timestamp_us for message in messages],
                    [publish_us for _, publish_us in self._rows],
                    [message.outcome.name.lower() for message in messages],
                ],
                schema=SCHEMA,
            )
        )
        self._rows.clear()
