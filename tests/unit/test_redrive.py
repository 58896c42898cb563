"""A dead letter is stepped again once, whatever is asked and whenever the slot dies."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import topics
from pipelines.changelog import saved_of
from pipelines.operators.sensor_state import restore
from pipelines.redrive.letter import REDRIVE_OF
from pipelines.redrive.redriven_letters import CHUNK, RedrivenLetters
from pipelines.redrive.request_record import BadRequest, read_request
from pipelines.settings import ProcessingSettings
from tests.unit.frame_building import START_US, Record, frame_on_time, record, tick
from tests.unit.redriven_partition import PARTITION, RedrivenPartition

STRICT = ProcessingSettings(stop_min_sensors=1_000, max_future_s=60)
MENDED = ProcessingSettings(stop_min_sensors=1_000, max_future_s=7_200)
HOUR_US = 3_600_000_000


def ahead(k: int, sensor: bytes = b"sensor1") -> Record:
    """The k-th record of a device whose clock is an hour ahead."""
    payload = frame_on_time(64 * k, start_us=START_US + HOUR_US)
    return record(payload, sensor, START_US + 320_000 * k)


def quarantined(frames: int = 20) -> RedrivenPartition:
    """A partition whose one sensor was refused until the setting was mended."""
    partition = RedrivenPartition(STRICT)
    partition.raw += [ahead(k) for k in range(frames)]
    partition.turn()
    partition.settings = MENDED
    partition.restart()
    return partition


def counts(partition: RedrivenPartition) -> dict[str, int]:
    """The ledger's counts as committed."""
    ledger = saved_of("changelog", PARTITION, dict(partition.changelog)).ledger
    assert ledger is not None
    return ledger.counts


def account(partition: RedrivenPartition) -> tuple[int, int, int, list[str]]:
    """What verification finds."""
    row = partition.verify()
    return row.lost, row.doubled, row.wrong, [str(d) for d in row.differences]


def test_letters_whose_cause_is_mended_are_transformed_once() -> None:
    partition = quarantined()
    for letter in partition.letters():
        partition.ask(letter)
    partition.turn()
    found = counts(partition)
    assert (found["redriven"], found["transformed"], found["dead_letters"]) == (20, 20, 20)
    assert found["frames"] == found["transformed"] + found["dead_letters"]
    partition.raw += [ahead(k) for k in range(20, 30)] + [tick() for _ in range(12)]
    partition.turn()
    # What came live goes on where the redriven frames end: nothing is late, no boot is begun.
    assert counts(partition)["samples_late"] == 0
    assert (counts(partition)["boots"], counts(partition)["gaps"]) == (1, 0)
    assert account(partition) == (0, 0, 0, [])


@pytest.mark.parametrize("snapshot", [True, False])
def test_settings_mended_after_a_kill_leave_what_was_committed_as_it_was(snapshot: bool) -> None:
    partition = quarantined()
    assert counts(partition)["dead_letters"] == 20
    partition.raw += [ahead(20)]
    partition.turn(snapshot=snapshot)
    assert counts(partition)["dead_letters"] == 20
    partition.restart()
    partition.raw += [ahead(21)]
    partition.turn()
    assert (counts(partition)["dead_letters"], counts(partition)["transformed"]) == (20, 2)


def test_json_of_a_phone_goes_through_again_as_frames_do() -> None:
    partition = RedrivenPartition(STRICT)
    for k in range(5):
        begin_us = START_US + HOUR_US + k * 320_000
        samples = [
            {"t_us": begin_us + i * 5_000, "acc": [i / 64, 0.5, 1], "gyro": [0, i, 0]}
            for i in range(64)
        ]
        payload = json.dumps({"samples": samples}).encode()
        partition.raw.append(record(payload, b"phone", START_US))
    partition.turn()
    assert {letter.reason for letter in partition.letters()} == {"implausible_timestamp"}
    partition.settings = MENDED
    partition.restart()
    for letter in partition.letters():
        partition.ask(letter)
    partition.turn()
    assert counts(partition)["transformed"] == 5
    assert account(partition) == (0, 0, 0, [])


def test_a_request_that_is_repeated_changes_nothing() -> None:
    partition = quarantined()
    letter = partition.letters()[3]
    partition.ask(letter)
    partition.ask(letter)
    partition.turn()
    partition.restart()
    partition.ask(letter)
    partition.turn()
    assert [r.outcome for r in partition.receipts()] == ["redriven", "repeated", "repeated"]
    found = counts(partition)
    assert (found["redriven"], found["redrive_repeated"], found["transformed"]) == (1, 2, 1)


def test_a_letter_that_fails_again_is_a_new_letter_that_can_be_redriven() -> None:
    partition = RedrivenPartition(STRICT)
    partition.raw += [record(b"junk" + frame_on_time(0))]
    partition.turn()
    (letter,) = partition.letters()
    partition.ask(letter)
    partition.turn()
    old, new = partition.letters()
    assert (new.value, new.reason, new.source) == (old.value, old.reason, old.source)
    assert (new.byte_range, new.redrive_of) == (old.byte_range, old.offset)
    partition.ask(new)
    partition.turn()
    assert [r.outcome for r in partition.receipts()] == ["redriven", "redriven"]
    assert account(partition) == (0, 0, 0, [])


def test_a_redrive_never_ends_the_boot_that_goes_on_now() -> None:
    partition = RedrivenPartition(STRICT)
    partition.raw += [ahead(k) for k in range(3)]
    partition.raw += [record(frame_on_time(64 * k)) for k in range(3, 40)]
    partition.turn()
    partition.settings = MENDED
    partition.restart()
    for letter in partition.letters():
        partition.ask(letter)
    partition.turn()
    assert [letter.reason for letter in partition.letters()[3:]] == ["too_old"] * 3
    partition.raw += [record(frame_on_time(64 * k)) for k in range(40, 80)]
    partition.turn()
    found = counts(partition)
    assert (found["boots"], found["samples_late"], found["redriven"]) == (1, 0, 3)
    assert account(partition) == (0, 0, 0, [])


def test_a_flood_of_letters_that_fail_again_stops_no_pipeline() -> None:
    partition = RedrivenPartition(ProcessingSettings(stop_min_sensors=1_000))
    partition.raw += [record(b"junk", b"sensor%d" % n) for n in range(30)]
    partition.turn()
    partition.settings = ProcessingSettings(stop_min_sensors=5)
    partition.raw += [tick() for _ in range(10)]
    partition.turn()
    partition.restart()
    for letter in partition.letters():
        partition.ask(letter)
    partition.turn()
    partition.raw += [tick() for _ in range(10)]
    partition.turn()
    assert counts(partition)["redriven"] == 30


def redriven() -> RedrivenPartition:
    """A partition with three letters redriven before more of the sensor came."""
    partition = quarantined()
    for letter in partition.letters()[:3]:
        partition.ask(letter)
    partition.turn()
    partition.raw += [ahead(k) for k in range(20, 25)]
    partition.turn()
    assert account(partition) == (0, 0, 0, [])
    return partition


def test_verification_finds_a_redrive_that_was_stepped_twice() -> None:
    partition = redriven()
    rows, dead = partition.logs[topics.TRANSFORMED], partition.logs[topics.DEAD_LETTERS]
    rows.insert(1, rows[0])
    assert account(partition)[:2] == (0, 64)
    receipt = next(stored for stored in dead if ("reason", b"redriven") in stored[2])
    dead.append(receipt)
    lost, doubled, _, differences = account(partition)
    assert (lost, doubled) == (0, 64)
    assert any("or was redriven before" in difference for difference in differences)


def test_verification_finds_a_redrive_whose_samples_are_missing() -> None:
    partition = redriven()
    del partition.logs[topics.TRANSFORMED][1]
    assert account(partition)[:2] == (64, 0)


def test_verification_finds_a_redrive_that_no_receipt_tells_of() -> None:
    partition = redriven()
    dead = partition.logs[topics.DEAD_LETTERS]
    dead[:] = [stored for stored in dead if ("reason", b"redriven") not in stored[2]]
    assert account(partition)[2] > 0


def test_a_redrive_after_the_ledger_was_read_is_not_judged_yet() -> None:
    partition = redriven()
    before = dict(partition.changelog)
    for letter in partition.letters()[3:]:
        partition.ask(letter)
    # The redrive closes windows too, before more of the input comes.
    partition.turn()
    assert counts(partition)["redriven"] == 20
    assert account(partition) == (0, 0, 0, [])
    partition.changelog = before
    assert account(partition) == (0, 0, 0, [])


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({}, "names no letter"),
        ({"letter": b"1"}, "does not say where"),
        ({"letter": b"x"}, "names no letter"),
        (
            {
                "letter": b"1",
                "letter-source": b"imu-data-all/4/9",
                "letter-start": b"0",
                "letter-failed-us": b"7",
            },
            "are of imu-data-all/4",
        ),
    ],
)
def test_a_request_that_cannot_be_followed_says_why(headers: dict[str, bytes], why: str) -> None:
    request = read_request(9, b"s", b"", headers, f"{topics.RAW}/{PARTITION}")
    assert isinstance(request, BadRequest)
    assert why in request.why


def test_every_output_of_a_redrive_names_the_letter() -> None:
    partition = quarantined()
    letter = partition.letters()[0]
    partition.ask(letter)
    partition.turn()
    made = [dict(h) for _, _, h in partition.logs[topics.TRANSFORMED]]
    assert [headers[REDRIVE_OF] for headers in made] == [b"%d" % letter.offset]


steps = st.lists(
    st.one_of(
        st.tuples(st.just("feed"), st.integers(1, 6)),
        st.tuples(st.just("turn"), st.integers(1, 4)),
        st.tuples(st.just("snapshot"), st.integers(1, 4)),
        st.tuples(st.just("crash"), st.integers(1, 4)),
        st.tuples(st.just("ask"), st.integers(0, 30)),
        st.tuples(st.just("ticks"), st.integers(1, 12)),
    ),
    max_size=30,
)


def run(moves: list[tuple[str, int]], *, crashes: bool) -> RedrivenPartition:
    """Do the moves; with the crashes, or as if there were none."""
    partition = RedrivenPartition(MENDED)
    fed = 0
    for move, n in moves:
        if move == "feed":
            for k in range(fed, fed + n):
                payload = frame_on_time(64 * k)
                bad = payload[:500] if k % 3 == 0 else b"junk" + payload
                partition.raw.append(record(bad if k % 2 else payload, b"sensor%d" % (k % 2)))
            fed += n
        elif move == "ticks":
            partition.raw += [tick() for _ in range(n)]
        elif move == "ask":
            letters = partition.letters()
            if letters:
                partition.ask(letters[n % len(letters)])
        elif move == "crash":
            if crashes:
                partition.turn(n, commit=False)
                partition.restart()
        else:
            partition.turn(n, snapshot=move == "snapshot")
    partition.turn()
    return partition


@given(steps)
@settings(max_examples=60, deadline=None)
def test_each_letter_is_stepped_once_in_any_order_of_requests_and_crashes(
    moves: list[tuple[str, int]],
) -> None:
    partition = run(moves, crashes=True)
    stepped = [r.letter for r in partition.receipts() if r.outcome == "redriven"]
    asked = {r.letter for r in partition.receipts()}
    assert sorted(stepped) == sorted(asked)
    assert counts(partition).get("redriven", 0) == len(stepped)
    assert account(partition) == (0, 0, 0, [])
    calm = run(moves, crashes=False)
    assert partition.logs == calm.logs
    assert counts(partition) == counts(calm)
    partition.turn(snapshot=True)
    calm.turn(snapshot=True)
    assert state_of(partition) == state_of(calm)


def state_of(partition: RedrivenPartition) -> dict[bytes, bytes]:
    """The state of each sensor, as restored and saved once more."""
    saved = saved_of("changelog", PARTITION, dict(partition.changelog))
    state = restore(PARTITION, saved.records.items(), counts(partition))
    state.tables.sensors["changed"][: len(saved.records)] = 1
    return {key: value for key, value in state.take_changes() if value is not None} | saved.redriven


@given(st.sets(st.integers(0, 4 * CHUNK), max_size=50), st.integers(0, 4 * CHUNK))
def test_what_was_redriven_is_known_after_a_restart(offsets: set[int], low: int) -> None:
    before = RedrivenLetters({})
    for offset in offsets:
        before.add(offset)
    saved = {key: value for key, value in before.take_changes() if value is not None}
    after = RedrivenLetters(saved)
    assert len(after) == len(offsets)
    assert {offset for offset in range(4 * CHUNK + 1) if offset in after} == offsets
    assert after.take_changes() == []
    after.forget_below(low)
    for key, value in after.take_changes():
        assert value is None
        del saved[key]
    assert all(offset in RedrivenLetters(saved) for offset in offsets if offset >= low)
