"""The parts of verification: the plain scanner, the numbers seen."""

import json
from pathlib import Path

import pytest
from fastcrc.crc16 import arc
from hypothesis import given
from hypothesis import strategies as st

from pipelines.verify.coverage import Coverage, Interval
from pipelines.verify.plain_scanner import scan
from tests.unit.frame_building import frame_on_time

GOLDEN = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "frames.jsonl").read_text().splitlines()
]


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: str(case["name"]))
def test_the_plain_scanner_reads_each_payload_as_agreed(case: dict[str, object]) -> None:
    pieces = scan(bytes.fromhex(str(case["payload_hex"])))
    frames = [
        {"base_sample_number": p.base, "timestamp_us": p.timestamp_us, "num_samples": p.samples}
        for p in pieces
        if p.reason is None
    ]
    wanted = [{k: f[k] for k in frames[0]} for f in case["frames"]]  # type: ignore[attr-defined]
    assert frames == wanted
    assert [
        {"reason": p.reason, "bytes": p.end - p.start} for p in pieces if p.reason is not None
    ] == case["dead_letters"]


@given(st.lists(st.sampled_from([b"\x7c", b"\x1e", b"\x00", frame_on_time(0, 2), b"xyz"])))
def test_every_byte_is_in_one_piece(parts: list[bytes]) -> None:
    payload = b"".join(parts)
    pieces = scan(payload)
    assert [p.start for p in pieces] == [0, *(p.end for p in pieces[:-1])]
    assert pieces[-1].end == len(payload)


def test_the_checksum_is_crc_16_arc() -> None:
    assert arc(b"123456789") == 0xBB3D


intervals = st.lists(st.tuples(st.integers(0, 200), st.integers(1, 40)), max_size=30)


@given(intervals, st.integers(0, 200), st.integers(1, 40))
def test_coverage_knows_exactly_the_numbers_added(
    added: list[tuple[int, int]], start: int, length: int
) -> None:
    coverage = Coverage(period_us=5_000, tolerance_us=2_000_000)
    seen: set[int] = set()
    for low, size in added:
        numbers = set(range(low, low + size))
        new = Interval(low, low + size, low * 5_000, (low + size - 1) * 5_000)
        assert coverage.add(new) == len(numbers & seen)
        seen |= numbers
    asked = set(range(start, start + length))
    missing = {n for low, high in coverage.holes(start, start + length) for n in range(low, high)}
    assert missing == asked - seen
    unlike = coverage.unlike(start, start + length, start * 5_000)
    assert {n for low, high in unlike for n in range(low, high)} == asked - seen


def test_a_number_seen_at_another_time_is_not_the_same_sample() -> None:
    coverage = Coverage(period_us=5_000, tolerance_us=2_000_000)
    coverage.add(Interval(0, 64, 0, 63 * 5_000))
    assert list(coverage.unlike(0, 64, 1_900_000)) == []
    assert list(coverage.unlike(0, 64, 60_000_000)) == [(0, 64)]
