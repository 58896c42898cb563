"""What a slot tells of a turn that is committed: how long it took, how late it is, what it refused.

Once a turn and over whole batches: never once a record.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipelines import metrics, topics
from pipelines.metric_kinds import KEPT
from pipelines.records import Output

_FIRST = "sensor-processing"
"""Whose commit shows samples first: the stage `transformed` of the latency."""
_US_PER_S = 1e6
_WATERMARKS_EVERY_US = 500_000


class TakenIn(NamedTuple):
    """What a turn has taken in.

    size:        bytes of its payloads
    received_us: of each partition, ``(n,) int64``: when its records were received, microseconds
    """

    size: int
    received_us: Mapping[int, npt.NDArray[np.int64]]


class CommitMetrics:
    """Tells of the commits of one slot; how far each partition is, only now and then."""

    def __init__(self, pipeline: str) -> None:
        self._pipeline = pipeline
        self._watermarks_told_us = 0

    def tell(
        self, taken: TakenIn, outputs: Iterable[Output], took_s: float, committed_us: int
    ) -> None:
        """Tell of a turn whose transaction took ``took_s`` and ended at ``committed_us``."""
        if not KEPT:
            return
        pipeline = self._pipeline
        metrics.TRANSACTION_SECONDS.observe(took_s, pipeline)
        metrics.INPUT_BYTES.add(taken.size, pipeline)
        # The wall clock may be set back.
        if abs(committed_us - self._watermarks_told_us) >= _WATERMARKS_EVERY_US:
            self._watermarks_told_us = committed_us
            for partition, received_us in taken.received_us.items():
                watermark_s = float(received_us[-1]) / _US_PER_S
                metrics.WATERMARK_SECONDS.set(watermark_s, pipeline, partition)
        if pipeline == _FIRST and taken.received_us:
            late_us = committed_us - np.concatenate(list(taken.received_us.values()))
            metrics.LATENCY_SECONDS.observe_all(late_us / _US_PER_S, "transformed")
        tell_letters(pipeline, outputs)


def tell_letters(pipeline: str, outputs: Iterable[Output]) -> None:
    """Count the dead letters among committed records by their reasons."""
    if not KEPT:
        return
    reasons = Counter(
        dict(output.headers).get("reason")
        for output in outputs
        if output.topic == topics.DEAD_LETTERS
    )
    for reason, count in reasons.items():
        # Requests to redrive and their receipts stand in that topic too, and have none.
        if reason is not None:
            metrics.DEAD_LETTERS.add(count, pipeline, reason.decode())
