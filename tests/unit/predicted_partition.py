"""One partition as ml_inference leaves it, to be tampered with and then verified."""

from collections.abc import Iterator, Sequence

from confluent_kafka import Message

from pipelines import topics
from pipelines.ledger import Ledger
from pipelines.models.model_files import Model
from pipelines.models.store import ModelStore
from pipelines.operators.ml_inference import MlInference
from pipelines.settings import Settings
from pipelines.verify.letters import LetterStream
from pipelines.verify.offline_model import OfflineModels
from pipelines.verify.predicted_rows import PredictionStream
from pipelines.verify.prediction_check import PredictionCheck
from pipelines.verify.predictions import STAGE
from pipelines.verify.raw_frames import Sensors
from pipelines.verify.stage_result import StageRow
from pipelines.verify.velocity_windows import VelocityStream
from tests.unit.models_in_memory import ModelsInMemory
from tests.unit.stored_messages import Stored, stored_messages
from tests.unit.transformed_building import batch_of

BATCH = 3
PARTITION = 3


class PredictedPartition:
    """Input, outputs by topic, and the ledger's counts."""

    def __init__(
        self,
        values: Sequence[bytes],
        settings: Settings,
        store: ModelStore,
        models: Sequence[Model],
    ) -> None:
        """The models are adopted one after the other, each for as many records."""
        self.settings = settings
        self.store = store
        self.values = list(values)
        self.outputs: dict[str, list[Stored]] = {
            topics.PREDICTIONS: [],
            topics.AGGREGATED: [],
            topics.DEAD_LETTERS: [],
        }
        known = ModelsInMemory(*models)
        operator = MlInference(
            settings.inference, settings.processing, known.inference(), known, "test"
        )
        state = operator.new_state(PARTITION)
        for first in range(0, len(values), BATCH):
            known.want(models[first * len(models) // len(values)])
            part = batch_of(self.values[first : first + BATCH], first)
            for output in operator.step_all([(state, part)])[0]:
                self.outputs[output.topic].append((output.key, bytes(output.value), output.headers))
        self.counts = operator.counts(state)

    def verify(self, begin: int = 0, sensors: int = 10) -> StageRow:
        """Verify what is there now, of the input from offset ``begin`` on."""
        row = StageRow(STAGE, PARTITION)
        numbered = Sensors()
        check = PredictionCheck(
            row, self.settings, OfflineModels(self.store), numbered, sensors, whole=not begin
        )
        check.run(
            self._samples(begin),
            PredictionStream(self._stored(topics.PREDICTIONS), numbered),
            VelocityStream(self._stored(topics.AGGREGATED)),
            LetterStream(self._stored(topics.DEAD_LETTERS), STAGE, PARTITION, topics.TRANSFORMED),
            len(self.values),
            lambda records: None,
        )
        ledger = Ledger(
            pipeline=STAGE,
            partition=PARTITION,
            generation=1,
            slot=0,
            next_offset=len(self.values),
            snapshot_offset=0,
            committed_us=0,
            code_version="test",
            counts=self.counts,
        )
        check.compare_ledger(ledger, len(self.values))
        row.checked = {**check.counts, "values": check.values, "unknown": check.unknown}
        return row

    def _samples(self, begin: int) -> Iterator[list[Message]]:
        for first in range(begin, len(self.values), 2 * BATCH):
            yield [
                Message(
                    topic=topics.TRANSFORMED, partition=PARTITION, offset=first + i, value=value
                )
                for i, value in enumerate(self.values[first : first + 2 * BATCH])
            ]

    def _stored(self, topic: str) -> Iterator[list[Message]]:
        return stored_messages(topic, self.outputs[topic], PARTITION)
