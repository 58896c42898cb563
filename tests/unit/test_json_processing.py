"""JSON payloads through sensor_processing and its proof: counted, numbered, quarantined whole."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import topics
from pipelines.settings import ProcessingSettings
from tests.unit.frame_building import START_US, Record, frame_on_time, record, tick
from tests.unit.json_building import encoded, logged, plain
from tests.unit.processed_partition import ProcessedPartition
from tests.unit.test_verify import rows_of

SETTINGS = ProcessingSettings(stop_min_sensors=1_000)
INTERVAL_US = 16_667


def phone(first: int, readings: int, start_us: int = START_US) -> bytes:
    """Readings of a phone at 60 Hz, from its ``first`` on, as one payload."""
    return encoded(
        {
            "samples": [
                {
                    "t_us": start_us + i * INTERVAL_US,
                    "acc": [0.01 * (i % 50), 0, 1],
                    "gyro": [0, 0, 1],
                }
                for i in range(first, first + readings)
            ]
        }
    )


def session() -> list[Record]:
    """A phone for ten seconds beside a sensor of frames, then silence."""
    records: list[Record] = []
    for k in range(20):
        records.append(record(phone(30 * k, 30), b"phone"))
        records.append(record(frame_on_time(100 * k, 100), b"sensor1"))
        if k % 4 == 2:
            records.append(tick())
    return records + [tick() for _ in range(12)]


def test_a_phones_payloads_become_one_row_of_samples_without_gaps_and_windows() -> None:
    partition = ProcessedPartition(session(), SETTINGS)
    found = partition.counts
    assert found["transformed"] == found["frames"] == 40
    assert found["gaps"] == found["dead_letters"] == 0
    # Where a payload's last reading was held until the next one came, that next one repeats it.
    assert 0 < found["samples_duplicate"] < 20 * 3
    assert found["boots"] == 2
    row = partition.verify()
    assert not row.differences
    assert row.samples_transformed == found["samples_transformed"]


def test_every_payload_sent_twice_is_counted_twice_and_emitted_once() -> None:
    once = ProcessedPartition(session(), SETTINGS)
    twice = ProcessedPartition([r for r in session() for _ in (1, 2) if r[0]], SETTINGS)
    assert twice.counts["samples_transformed"] == once.counts["samples_transformed"]
    assert twice.counts["duplicates"] == 40
    assert not twice.verify().differences


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b'{"samples": [', "invalid_json"),
        (b'{"samples": [{"t_us": 1, "acc": [0, 0, "1"]}]}', "invalid_payload"),
        (phone(0, 10, START_US + 3_600_000_000), "implausible_timestamp"),
    ],
)
def test_a_json_payload_that_is_refused_is_one_dead_letter_of_its_own_bytes(
    payload: bytes, reason: str
) -> None:
    # Behind a good one, so that what was made of that stands in the buffer too.
    partition = ProcessedPartition(
        [record(phone(0, 30), b"phone"), record(payload, b"phone"), tick()], SETTINGS
    )
    ((key, value, headers),) = partition.outputs[topics.DEAD_LETTERS]
    named = dict(headers)
    assert (key, value) == (b"phone", payload)
    assert named["reason"].decode() == reason
    assert named["byte-range"] == b"0-%d" % len(payload)
    assert named["detail"]
    assert not partition.verify().differences
    partition.outputs[topics.DEAD_LETTERS].clear()
    assert partition.verify().differences


def test_a_row_that_is_not_the_rules_is_found() -> None:
    partition = ProcessedPartition([record(phone(0, 30), b"phone")], SETTINGS)
    value = partition.outputs[topics.TRANSFORMED][0][1]
    assert rows_of(value).num_rows > 90
    partition.raw[0] = record(phone(1, 30), b"phone")
    assert partition.verify().differences


def test_values_beyond_the_range_are_counted_in_the_ledger() -> None:
    payload = encoded({"samples": [{"t_us": START_US, "acc": [20, 0, 0]}]})
    partition = ProcessedPartition([record(payload, b"phone")], SETTINGS)
    assert partition.counts["samples_clipped"] == 1


def test_rows_may_be_late_for_windows_that_a_heartbeat_closed_before_they_held_any() -> None:
    ten_s_later_ns = (START_US + 10_000_000) * 1_000
    lit = {"name": "light", "time": ten_s_later_ns, "values": {"lux": 1}}
    heartbeat = encoded({"messageId": 1, "sessionId": "s", "deviceId": "d", "payload": [lit]})
    partition = ProcessedPartition(
        [record(heartbeat, b"phone"), record(phone(0, 30), b"phone"), tick()], SETTINGS
    )
    assert partition.counts["heartbeats"] == 1
    assert partition.counts["samples_late"] > 0
    assert not partition.verify().differences


@given(
    st.lists(
        st.tuples(
            st.sampled_from((b"a", b"b")),
            st.one_of(
                plain.map(encoded),
                logged.map(encoded),
                st.builds(phone, st.integers(0, 300), st.integers(1, 40)),
                st.builds(frame_on_time, st.integers(0, 20).map(lambda k: 64 * k)),
                st.sampled_from((b"{", b"[]", b'{"samples":[]}', b"junk")),
            ),
        ),
        min_size=1,
        max_size=15,
    )
)
@settings(max_examples=15)
def test_the_proof_accepts_whatever_mixture_is_processed(sent: list[tuple[bytes, bytes]]) -> None:
    # Received late enough for the times that hypothesis makes.
    records: list[Record] = [(key, payload, 1_800_000_000_000_000) for key, payload in sent]
    partition = ProcessedPartition([*records, tick()], SETTINGS)
    found = partition.counts
    assert found["frames"] == sum(
        found[name] for name in ("transformed", "duplicates", "heartbeats", "dead_letters")
    )
    assert not partition.verify().differences
