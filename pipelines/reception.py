"""When the frames in a record of sensor-data-transformed were received: its header.

A record holds the samples of many frames; the oldest of them counts, so that whoever measures how
late samples come says no less than is true.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from pipelines.records import Output
from pipelines.topics import TRANSFORMED

OLDEST_RECEIVED: Final = "oldest-received-us"


def with_reception(
    outputs: Iterable[Output], received_us: npt.NDArray[np.int64] | None
) -> Iterable[Output]:
    """Name the oldest of ``(n,)`` receptions in the records of samples made of them."""
    if received_us is None:
        return outputs
    header = (OLDEST_RECEIVED, b"%d" % received_us.min())
    return [
        output._replace(headers=[*output.headers, header])
        if output.topic == TRANSFORMED
        else output
        for output in outputs
    ]


def oldest_received_us(headers: Mapping[str, bytes]) -> int | None:
    """Return what the header says; None where there is none."""
    value = headers.get(OLDEST_RECEIVED)
    return None if value is None else int(value)
