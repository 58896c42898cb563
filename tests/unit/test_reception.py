"""The header that says when the oldest frame of a record of samples was received."""

import numpy as np

from pipelines.reception import oldest_received_us, with_reception
from pipelines.records import Output
from pipelines.topics import AGGREGATED, TRANSFORMED

_SAMPLES = Output(TRANSFORMED, None, b"rows", [("content-type", b"arrow")])
_WINDOW = Output(AGGREGATED, b"sensor", b"{}", [("content-type", b"json")])


def test_samples_say_when_the_oldest_of_their_frames_was_received() -> None:
    samples, window = with_reception([_SAMPLES, _WINDOW], np.array([30, 10, 20]))
    assert oldest_received_us(dict(samples.headers)) == 10
    assert samples.headers[0] == _SAMPLES.headers[0]
    assert window == _WINDOW


def test_what_was_redriven_alone_says_nothing() -> None:
    assert list(with_reception([_SAMPLES], None)) == [_SAMPLES]
    assert oldest_received_us(dict(_SAMPLES.headers)) is None
