"""Compressed bodies: what was packed comes back, and a small body cannot become a huge one."""

import gzip
import zlib
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.inference.compression import accepted_coding, compressed, decompressed
from serve.inference.refusal import RefusedError

LIMIT = 4_096


@given(st.binary(max_size=LIMIT), st.sampled_from(["gzip", "deflate"]))
def test_what_was_packed_comes_back(body: bytes, coding: Literal["gzip", "deflate"]) -> None:
    assert decompressed(compressed(body, coding), coding.upper(), LIMIT) == body


def test_a_body_without_a_coding_stays_as_it_is() -> None:
    assert decompressed(b"abc", None, LIMIT) == b"abc"
    assert decompressed(b"abc", "identity", LIMIT) == b"abc"


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_a_body_that_unpacks_to_more_than_the_limit_is_refused(pack: type) -> None:
    coding = "gzip" if pack is gzip.compress else "deflate"
    with pytest.raises(RefusedError) as caught:
        decompressed(pack(bytes(100 * LIMIT)), coding, LIMIT)
    assert caught.value.status == 413


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (b"abc", "gzip"),
        (gzip.compress(b"abc", mtime=0)[:-1], "gzip"),
        (gzip.compress(b"abc", mtime=0) + b"x", "gzip"),
        (b"", "deflate"),
        (b"abc", "br"),
    ],
)
def test_a_damaged_or_unknown_coding_is_refused(body: bytes, coding: str) -> None:
    with pytest.raises(RefusedError) as caught:
        decompressed(body, coding, LIMIT)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("", None),
        ("identity", None),
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("GZIP;q=0.5, deflate", "deflate"),
        ("gzip;q=0", None),
        ("gzip;q=nonsense", None),
        ("br, gzip", "gzip"),
    ],
)
def test_the_best_liked_of_our_codings_is_taken(header: str, coding: str | None) -> None:
    assert accepted_coding(header) == coding
