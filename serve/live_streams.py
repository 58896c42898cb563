"""The streams there are: of which topic, of whom, and what thinning them keeps. Pure."""

from enum import Enum
from typing import NamedTuple

from pipelines import topics
from pipelines.partitioner import partition_of

RAW = "raw"
TRANSFORMED = "transformed"
AGGREGATED = "aggregated"
PREDICTIONS = "predictions"
SESSIONS = "sessions"
ALARMS = "alarms"

Place = tuple[str, int]
"""A topic and a partition."""


class Of(Enum):
    """Whose messages a stream holds."""

    ONE_SENSOR = "one sensor"
    SENSORS = "one sensor or all"
    PIPELINES = "pipelines"


class Stream(NamedTuple):
    """A kind of stream.

    peaks: the two columns whose extremes stay when it is thinned; None, it cannot be.
    """

    name: str
    topic: str
    of: Of
    peaks: tuple[str, str] | None = None

    def places(self, sensor_id: str | None) -> tuple[Place, ...]:
        """Return the partitions that hold a sensor's messages, or everybody's."""
        if self.of is Of.PIPELINES:
            return ((self.topic, 0),)
        if sensor_id is None:
            return tuple((self.topic, partition) for partition in range(topics.PARTITIONS))
        return ((self.topic, partition_of(sensor_id)),)


STREAMS = {
    stream.name: stream
    for stream in (
        Stream(RAW, topics.RAW, Of.ONE_SENSOR),
        Stream(TRANSFORMED, topics.TRANSFORMED, Of.ONE_SENSOR, ("accl_mag", "gyro_mag")),
        Stream(AGGREGATED, topics.AGGREGATED, Of.ONE_SENSOR),
        Stream(PREDICTIONS, topics.PREDICTIONS, Of.ONE_SENSOR, ("velocity", "moving_probability")),
        Stream(SESSIONS, topics.SESSIONS, Of.SENSORS),
        Stream(ALARMS, topics.CONTROL, Of.PIPELINES),
    )
}
STREAM_OF = {stream.topic: stream.name for stream in STREAMS.values()}
