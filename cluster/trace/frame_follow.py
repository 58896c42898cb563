"""Follow a sensor's next frame through every stage while it comes, and say when it was where."""

import queue
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from cluster.trace.deadline import Deadline
from cluster.trace.followed_frame import NAMES, WEBSOCKET, Arrival, FollowedFrame
from cluster.trace.live_messages import LiveMessages
from cluster.trace.record_arrivals import RecordArrivals
from cluster.trace.stage import Stage, Trace
from pipelines.partitioner import partition_of
from pipelines.settings import Settings

_WAITING: Final = 4_096
"""What may wait to be looked at; beyond it the threads that read wait themselves."""
_WAIT_S: Final = 0.2


def follow_next_frame(
    settings: Settings,
    sensor_id: str,
    within_s: float,
    live_url: str | None,
    show: Callable[[Stage, int | None], None],
) -> Trace:
    """Return where the sensor's next frame was when; times are those at which this saw it.

    Args:
        settings: of the stack or cluster.
        sensor_id: whose frame.
        within_s: how long it is followed at most.
        live_url: address of an api elsewhere, such as wss://host; None: this machine's.
        show: is told each stage when the frame reaches it, and when the bridge received it.

    Raises:
        UnavailableError: Kafka does not answer.
    """
    partition = partition_of(sensor_id)
    followed = FollowedFrame(sensor_id, partition, settings.processing.sample_rate_hz)
    deadline = Deadline(within_s)
    arrived: queue.Queue[Arrival] = queue.Queue(_WAITING)
    records = RecordArrivals(settings.kafka, partition, arrived)
    live = LiveMessages(settings, sensor_id, live_url, arrived)
    expected = tuple(name for name in NAMES if name != WEBSOCKET or live.failed is None)
    try:
        while not deadline.passed:
            records.check()
            with suppress(queue.Empty):
                for stage in followed.take(*arrived.get(timeout=_WAIT_S)):
                    show(stage, followed.received_us)
            if followed.received_us is not None and not followed.missing(expected):
                break
    finally:
        live.close()
        records.close()
    return followed.trace(NAMES, not deadline.passed)
