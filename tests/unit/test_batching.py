"""Polled messages become columns by partition, in order, whatever their headers."""

import pytest
from confluent_kafka import KafkaError, KafkaException, Message

from pipelines.batching import group, split

TIMESTAMP_MS = 1_700_000_000_123


def _message(
    partition: int, offset: int, headers: list[tuple[str, bytes]], key: bytes | None = b"s"
) -> Message:
    return Message(
        topic="imu-data-all",
        partition=partition,
        offset=offset,
        key=key,
        value=str(offset).encode(),
        headers=headers,
        timestamp=(1, TIMESTAMP_MS),
    )


def _received(digits: bytes) -> list[tuple[str, bytes]]:
    return [("mqtt-topic", b"imu/s"), ("received-us", digits)]


def test_records_are_grouped_by_partition_in_the_order_polled() -> None:
    messages = [_message(p, offset, _received(b"5")) for offset, p in enumerate([1, 0, 1, 1, 0])]
    batches = group(messages)
    assert {p: batch.offsets.tolist() for p, batch in batches.items()} == {1: [0, 2, 3], 0: [1, 4]}
    assert batches[1].values == [b"0", b"2", b"3"]


def test_a_tick_has_no_key() -> None:
    assert group([_message(0, 1, _received(b"5"), key=None)])[0].keys == [None]


@pytest.mark.parametrize(
    ("headers", "received_us"),
    [
        (_received(b"1700000000456789"), 1_700_000_000_456_789),
        ([], TIMESTAMP_MS * 1000),
        (_received(b"soon"), TIMESTAMP_MS * 1000),
        (_received(b"9" * 40), TIMESTAMP_MS * 1000),
    ],
)
def test_reception_is_the_header_or_else_the_records_timestamp(
    headers: list[tuple[str, bytes]], received_us: int
) -> None:
    assert group([_message(0, 1, headers)])[0].received_us.tolist() == [received_us]


def test_passing_errors_are_passed_over_and_others_are_raised() -> None:
    good = _message(0, 1, [])
    passing = Message(error=KafkaError(KafkaError.NOT_LEADER_FOR_PARTITION))
    lasting = Message(error=KafkaError(KafkaError._AUTO_OFFSET_RESET))
    assert group([passing, good])[0].offsets.tolist() == [1]
    with pytest.raises(KafkaException):
        group([good, lasting])


def test_a_batch_is_cut_between_offsets() -> None:
    batch = group([_message(0, offset, []) for offset in (3, 5, 9)])[0]
    known, fresh = split(batch, 6)
    assert known is not None and known.offsets.tolist() == [3, 5]
    assert fresh is not None and fresh.values == [b"9"]
    assert split(batch, 3) == (None, batch)
    assert split(batch, 10) == (batch, None)
