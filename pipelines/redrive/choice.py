"""Which letters are meant: by reason, pipeline and sensor; and which of them can be redriven."""

from typing import Final, NamedTuple

from pipelines import topics
from pipelines.redrive.letter import Letter

SENSOR_PROCESSING: Final = "sensor-processing"

_REFUSED: Final = {
    "bridge": "the bridge could give it to no sensor, so no pipeline has an input for it: mend the "
    "device, and let it publish again",
    "ml-inference": "the model's state has gone past these samples: `imustream backfill` predicts "
    "them in their order",
    "session-aggregation": "it holds no window that sensor-processing or ml-inference wrote; "
    "redrive the bytes that the window was to be made of, or run `imustream backfill`",
    "session-writer": "it holds no session that session-aggregation wrote: `imustream backfill` "
    "makes the sessions anew",
}


class LetterChoice(NamedTuple):
    """Letters of this reason, pipeline and sensor; None for any."""

    reason: str | None = None
    pipeline: str | None = None
    sensor: str | None = None

    def holds(self, letter: Letter) -> bool:
        """Whether a letter is meant."""
        return (
            (self.reason is None or letter.reason == self.reason)
            and (self.pipeline is None or letter.pipeline == self.pipeline)
            and (self.sensor is None or letter.sensor_id == self.sensor)
        )


def why_not_redriven(letter: Letter) -> str | None:
    """Return why nobody can step a letter again; None where its pipeline can."""
    if letter.pipeline != SENSOR_PROCESSING:
        unknown = f"there is no pipeline {letter.pipeline!r} that takes its letters again"
        return _REFUSED.get(letter.pipeline, unknown)
    source = letter.source
    if source is None or (source.topic, source.partition) != (topics.RAW, letter.partition):
        return f"its source {letter.source_text!r} is no record of {topics.RAW}/{letter.partition}"
    if letter.key is None:
        return "it names no sensor"
    return None
