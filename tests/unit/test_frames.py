"""How payloads are cut into frames and dead letters, and what the samples mean."""

import json
from pathlib import Path

import pytest
from fastcrc.crc16 import arc
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.frame_format import FRAME_HEADER, MAGIC, PAYLOAD_HEADER
from pipelines.frame_scanner import scan_payload
from pipelines.frame_table import tabulate
from pipelines.payload_scanner import scan_any

GOLDEN = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "frames.jsonl").read_text().splitlines()
]


def frame(base: int, timestamp_us: int, samples: int, body: bytes = b"") -> bytes:
    payload = PAYLOAD_HEADER.pack(base, timestamp_us, samples) + body.ljust(20 * samples, b"\x01")
    head = FRAME_HEADER.pack(MAGIC, len(payload)) + payload
    return head + arc(head).to_bytes(2, "little")


pieces = st.one_of(
    st.builds(
        frame,
        st.integers(0, 2**32 - 1),
        st.integers(0, 2**64 - 1),
        st.integers(0, 5),
        st.binary(max_size=120),
    ),
    st.builds(lambda n, cut: frame(n, n, 3)[:cut], st.integers(0, 99), st.integers(0, 70)),
    st.builds(
        lambda n, at, flip: bytes(
            b ^ (flip if i == at else 0) for i, b in enumerate(frame(n, n, 2))
        ),
        st.integers(0, 99),
        st.integers(0, 59),
        st.integers(1, 255),
    ),
    st.binary(max_size=30),
    st.just(MAGIC),
)
payloads = st.lists(pieces, max_size=5).map(b"".join)


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["name"])
def test_a_golden_payload_is_cut_as_the_fixture_says(case: dict) -> None:
    frames, dead = scan_payload(bytes.fromhex(case["payload_hex"]))
    assert [(f.base_sample_number, f.timestamp_us, f.num_samples) for f in frames] == [
        (f["base_sample_number"], f["timestamp_us"], f["num_samples"]) for f in case["frames"]
    ]
    assert [{"reason": d.reason, "bytes": d.end - d.start} for d in dead] == case["dead_letters"]


@given(payloads)
def test_every_byte_is_in_one_good_frame_or_one_dead_span(payload: bytes) -> None:
    frames, dead = scan_payload(payload)
    spans = sorted((span.start, span.end) for span in [*frames, *dead])
    assert [start for start, _ in spans] == [0, *[end for _, end in spans[:-1]]]
    assert spans[-1][1] == len(payload)


@given(st.lists(payloads, max_size=6))
@settings(deadline=None)
def test_the_table_of_a_batch_equals_the_plain_scan_of_each_payload(batch: list[bytes]) -> None:
    table = tabulate(batch, 200.0)
    for i, payload in enumerate(batch):
        frames, dead = scan_any(payload, 200.0)
        rows = slice(table.first_frame[i], table.first_frame[i + 1])
        at = int(table.payload_start[i])
        assert (table.start[rows] - at).tolist() == [f.start for f in frames]
        assert (table.end[rows] - at).tolist() == [f.end for f in frames]
        assert table.base[rows].tolist() == [f.base_sample_number for f in frames]
        assert table.timestamp_us[rows].tolist() == [min(f.timestamp_us, 2**62) for f in frames]
        assert table.samples[rows].tolist() == [f.num_samples for f in frames]
        assert [span for j, span in table.dead if j == i] == dead
