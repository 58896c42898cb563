"""Prove ml_inference: every sample predicted once or rightly not, and as the model says alone."""

from contextlib import ExitStack
from typing import Final

from pipelines.models.store import open_store
from pipelines.settings import Settings
from pipelines.topics import (
    AGGREGATED,
    DEAD_LETTERS,
    ML_INFERENCE_CHANGELOG,
    PARTITIONS,
    PREDICTIONS,
    TRANSFORMED,
)
from pipelines.verify.ledger_check import read_ledger
from pipelines.verify.letters import LetterStream
from pipelines.verify.offline_model import OfflineModels
from pipelines.verify.predicted_rows import PredictionStream
from pipelines.verify.prediction_check import PredictionCheck
from pipelines.verify.progress import Progress
from pipelines.verify.raw_frames import Sensors
from pipelines.verify.stage_result import StageRow
from pipelines.verify.streams import PartitionReader
from pipelines.verify.velocity_windows import VelocityStream

STAGE: Final = "ml-inference"
SENSORS: Final = 20


def verify_predictions(
    settings: Settings, progress: Progress, sensors: int = SENSORS
) -> list[StageRow]:
    """Prove what ml_inference made of the samples, as far as its ledgers say it came.

    Args:
        settings: where Kafka and the model store are, and what the pipeline ran with.
        progress: is called now and then.
        sensors: of about how many sensors the model is run again over all their samples.

    Raises:
        UnavailableError: Kafka or the model store does not answer.
        DataError: a ledger or a prediction cannot be read.
    """
    models = OfflineModels(open_store(settings))
    return [
        _verify_partition(settings, models, partition, sensors, progress)
        for partition in range(PARTITIONS)
    ]


def _verify_partition(
    settings: Settings, models: OfflineModels, partition: int, sensors: int, progress: Progress
) -> StageRow:
    # The ledger first: whatever a transaction before it wrote is there when the topics are read.
    ledger = read_ledger(settings.kafka, partition, ML_INFERENCE_CHANGELOG)
    next_offset = 0 if ledger is None else ledger.next_offset
    row = StageRow(STAGE, partition)
    with ExitStack() as open_readers:
        samples, predictions, windows, letters = (
            _reader(open_readers, settings, topic, partition)
            for topic in (TRANSFORMED, PREDICTIONS, AGGREGATED, DEAD_LETTERS)
        )
        row.lag = max(0, samples.end - max(next_offset, samples.begin))
        whole = not (samples.begin or predictions.begin)
        numbered = Sensors()
        sampled = -(-sensors // PARTITIONS)
        check = PredictionCheck(row, settings, models, numbered, sampled, whole)
        total, done = max(0, next_offset - samples.begin), 0

        def read(records: int) -> None:
            nonlocal done
            done += records
            progress(partition, done, total)

        check.run(
            samples.batches() if next_offset > samples.begin else iter(()),
            PredictionStream(predictions.batches(), numbered),
            VelocityStream(windows.batches()),
            LetterStream(letters.batches(), STAGE, partition, TRANSFORMED),
            next_offset,
            read,
        )
        if ledger is not None:
            check.compare_ledger(ledger, samples.end)
    row.checked = {**check.counts, "values": check.values}
    if not whole:
        row.notes.append(
            f"predictions of partition {partition}: data below offset {samples.begin} of "
            f"{TRANSFORMED} or {predictions.begin} of {PREDICTIONS} are deleted by retention; "
            f"{check.unknown} rows and windows on that border are left out, and the ledger's counts"
        )
    return row


def _reader(stack: ExitStack, settings: Settings, topic: str, partition: int) -> PartitionReader:
    reader = PartitionReader(settings.kafka, topic, partition)
    stack.callback(reader.close)
    return reader
