"""What flows between the runtime and an operator: columns of one poll in, records out."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Headers = Sequence[tuple[str, bytes]]


class InputBatch(NamedTuple):
    """Consecutive records of one partition, as columns; ``n`` records in offset order.

    keys:        ``n`` sensor ids in UTF-8; None marks a tick
    values:      ``n`` payloads
    offsets:     ``(n,) int64``; not dense: transaction markers own offsets too
    received_us: ``(n,) int64`` microseconds since the epoch, the header ``received-us``
    """

    keys: Sequence[bytes | None]
    values: Sequence[bytes]
    offsets: npt.NDArray[np.int64]
    received_us: npt.NDArray[np.int64]


class Output(NamedTuple):
    """A record to produce, always into the partition number that its input came from.

    ``value`` is bytes, or a pyarrow buffer of them, which is produced without a copy.
    """

    topic: str
    key: bytes | None
    value: Any
    headers: Headers
