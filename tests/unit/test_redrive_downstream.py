"""What a redrive adds to the outputs of sensor_processing is proved right further on."""

from pathlib import Path

from pipelines import topics
from pipelines.models.model_files import read_model
from pipelines.models.store import open_store
from pipelines.settings import ProcessingSettings, SessionSettings, load_settings
from tests.small_model import small_model_files
from tests.unit.aggregated_partition import AggregatedPartition
from tests.unit.frame_building import START_US, TICK, frame_on_time, record, tick
from tests.unit.predicted_partition import PredictedPartition
from tests.unit.redriven_partition import RedrivenPartition


def redriven() -> RedrivenPartition:
    """Frames of two sensors; of one some came an hour ahead, and were redriven once that may be."""
    partition = RedrivenPartition(ProcessingSettings(max_future_s=60))
    early = {4, 5, 6, 20, 21, 22}
    for k in range(60):
        # Received as late as the frames say, but for those refused.
        received_us = START_US - 600_000_000 + k * 320_000 - 3_600_000_000 * (k in early)
        partition.raw.append(record(frame_on_time(64 * k), b"a", received_us))
        partition.raw.append(record(frame_on_time(64 * k), b"b"))
        if k % 3 == 0:
            partition.raw.append(tick())
        if k == 24:
            partition.turn()
            partition.settings = ProcessingSettings(max_future_s=7_200)
            partition.restart()
            for letter in partition.letters():
                partition.ask(letter)
    partition.raw += [tick() for _ in range(20)]
    for _ in range(40):
        partition.turn(5)
    assert len([r for r in partition.receipts() if r.outcome == "redriven"]) == len(early)
    row = partition.verify()
    assert row.differences == []
    # Some find their windows closed, some open still.
    assert 0 < row.samples_late < 64 * len(early)
    return partition


def test_predictions_are_proved_over_redriven_samples(tmp_path: Path) -> None:
    settings = load_settings(models={"url": f"file://{tmp_path}"})
    files = small_model_files(version="1")
    store = open_store(settings)
    store.push("velocity", "1", files)
    model = read_model("velocity", "1", files, "a test")
    values = [value for _, value, _ in redriven().logs[topics.TRANSFORMED]]
    row = PredictedPartition(values, settings, store, [model]).verify()
    assert [str(d) for d in row.differences] == []


def test_sessions_are_proved_over_windows_that_a_redrive_closed() -> None:
    windows = [
        (key, value if key else TICK, START_US)
        for key, value, _ in redriven().logs[topics.AGGREGATED]
    ]
    row = AggregatedPartition(windows, SessionSettings()).verify()
    assert [str(d) for d in row.differences] == []
