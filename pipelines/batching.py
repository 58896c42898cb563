"""Turn what a consumer polled into one columnar batch for each partition."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from confluent_kafka import KafkaException, Message

from pipelines.kafka_clients import transient
from pipelines.records import InputBatch

RECEIVED_HEADER = "received-us"
_MAX_DIGITS = 18


def group(messages: Sequence[Message]) -> dict[int, InputBatch]:
    """Return the records of each partition as columns, in the order polled.

    Raises:
        KafkaException: the consumer reported an error among the messages that it cannot mend.
    """
    errors = [error for message in messages if (error := message.error()) is not None]
    if errors:
        for error in errors:
            if not transient(error):
                raise KafkaException(error)
        messages = [message for message in messages if message.error() is None]
    of_partition: dict[int, list[Message]] = {}
    for message in messages:
        partition = message.partition()
        try:
            of_partition[partition].append(message)  # type: ignore[index]
        except KeyError:
            of_partition[partition] = [message]  # type: ignore[index]
    return {partition: _columns(polled) for partition, polled in of_partition.items()}


def _columns(messages: list[Message]) -> InputBatch:
    return InputBatch(
        keys=[message.key() for message in messages],
        values=[message.value() or b"" for message in messages],
        offsets=np.array([message.offset() for message in messages], np.int64),
        received_us=_received(messages),
    )


def _received(messages: list[Message]) -> npt.NDArray[np.int64]:
    return np.fromiter(map(_received_us, messages), np.int64, len(messages))


def _received_us(message: Message) -> int:
    headers: Sequence[tuple[str, bytes | None]] = message.headers() or ()  # type: ignore[assignment]
    return received_us(headers, message.timestamp()[1] * 1000)


def received_us(headers: Iterable[tuple[str, bytes | None]], timestamp_us: int) -> int:
    """Return the header ``received-us``, or without a good one the record's ``timestamp_us``."""
    for name, value in headers:
        if name == RECEIVED_HEADER and value is not None and len(value) <= _MAX_DIGITS:
            try:
                return int(value)
            except ValueError:
                break
    return timestamp_us


def split(batch: InputBatch, offset: int) -> tuple[InputBatch | None, InputBatch | None]:
    """Cut a batch into the records before ``offset`` and those from it on."""
    row = int(np.searchsorted(batch.offsets, offset))
    if row == 0:
        return None, batch
    if row == len(batch.values):
        return batch, None
    return _rows(batch, slice(0, row)), _rows(batch, slice(row, None))


def _rows(batch: InputBatch, rows: slice) -> InputBatch:
    return InputBatch(
        batch.keys[rows], batch.values[rows], batch.offsets[rows], batch.received_us[rows]
    )
