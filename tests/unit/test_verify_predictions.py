"""The proof of ml_inference finds nothing where all is right, and each thing that is not."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as rules

from pipelines import topics
from pipelines.models.model_files import read_model
from pipelines.models.store import ModelStore, open_store
from pipelines.settings import Settings, load_settings
from pipelines.verify.stage_result import StageRow
from tests.small_model import small_model_files
from tests.unit.frame_building import TICK
from tests.unit.models_in_memory import numberless_files
from tests.unit.predicted_partition import PredictedPartition
from tests.unit.transformed_building import Move, moves, rows_on_time, stream, values_of

FILES = {
    "1": small_model_files(version="1", hidden_units=8, velocity_bias=1.0),
    "2": small_model_files(version="2", velocity_bias=5.0),
    "3": numberless_files("3"),
}
MODELS = {v: read_model("velocity", v, files, "a test") for v, files in FILES.items()}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("models")
    found = load_settings(models={"url": f"file://{folder}"}, processing={"silence_ticks": 3})
    for version, files in FILES.items():
        open_store(found).push("velocity", version, files)
    return found


@pytest.fixture(scope="module")
def store(settings: Settings) -> ModelStore:
    return open_store(settings)


def _values() -> list[bytes]:
    values = []
    for start in range(0, 1_200, 60):
        values.append(
            stream(rows_on_time(start, start + 60) + rows_on_time(start, start + 30, "b"))
        )
        values.append(stream(rows_on_time(start + 30, start + 60, "b")))
        values.append(TICK)
    return values


@pytest.fixture
def partition(settings: Settings, store: ModelStore) -> PredictedPartition:
    return PredictedPartition(_values(), settings, store, [MODELS["1"], MODELS["2"]])


def _all_right(row: StageRow) -> bool:
    return not (row.lost or row.doubled or row.wrong)


def test_nothing_is_found_where_all_is_right(partition: PredictedPartition) -> None:
    row = partition.verify()
    assert _all_right(row), row.differences
    assert row.checked["predicted"] == 2_400
    assert row.checked["values"] == 2_400
    assert row.checked["resets"] == 4
    assert row.checked["velocity_windows"] >= 4


@rules(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(moves)
def test_nothing_is_found_whatever_devices_do(
    settings: Settings, store: ModelStore, stream_moves: list[Move]
) -> None:
    values = values_of(stream_moves)
    if not values:
        return
    row = PredictedPartition(values, settings, store, [MODELS["3"], MODELS["1"]]).verify()
    assert _all_right(row), row.differences


@pytest.mark.parametrize("begin", [1, 7, 20])
def test_what_retention_deleted_is_no_loss(partition: PredictedPartition, begin: int) -> None:
    row = partition.verify(begin)
    assert _all_right(row), row.differences
    assert row.checked["unknown"] > 0
    assert row.checked["values"] > 0


def _change(value: bytes, keep: np.ndarray, **columns: object) -> bytes:
    table = pa.ipc.open_stream(value).read_all()
    for name, values in columns.items():
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(at), pa.array(values))  # type: ignore[arg-type]
    (batch,) = table.take(pa.array(keep)).combine_chunks().to_batches()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_batch(batch)
    changed: bytes = sink.getvalue().to_pybytes()
    return changed


def _streams(partition: PredictedPartition) -> list[int]:
    return [i for i, (_, v, _) in enumerate(partition.outputs[topics.PREDICTIONS]) if v != TICK]


def _tamper(partition: PredictedPartition, at: int, keep: np.ndarray, **columns: object) -> None:
    place = _streams(partition)[at]
    key, value, headers = partition.outputs[topics.PREDICTIONS][place]
    partition.outputs[topics.PREDICTIONS][place] = (key, _change(value, keep, **columns), headers)


def test_predictions_taken_away_are_lost_each(partition: PredictedPartition) -> None:
    _tamper(partition, 5, np.append(np.arange(10), np.arange(17, 120)))
    row = partition.verify()
    assert (row.lost, row.doubled) == (7, 0)


def test_a_whole_stream_taken_away_is_lost(partition: PredictedPartition) -> None:
    del partition.outputs[topics.PREDICTIONS][_streams(partition)[4]]
    row = partition.verify()
    assert (row.lost, row.doubled) == (120, 0)


def test_the_last_stream_taken_away_is_lost(partition: PredictedPartition) -> None:
    del partition.outputs[topics.PREDICTIONS][_streams(partition)[-1]]
    assert partition.verify().lost == 120


@pytest.mark.parametrize("at", [0, 5, -1])
def test_a_stream_written_twice_is_doubled(partition: PredictedPartition, at: int) -> None:
    place = _streams(partition)[at]
    outputs = partition.outputs[topics.PREDICTIONS]
    outputs.insert(place + 1, outputs[place])
    row = partition.verify()
    assert (row.lost, row.doubled) == (0, 120)


def test_an_old_stream_at_the_end_is_doubled(partition: PredictedPartition) -> None:
    outputs = partition.outputs[topics.PREDICTIONS]
    outputs.append(outputs[_streams(partition)[2]])
    row = partition.verify()
    assert (row.lost, row.doubled) == (0, 120)


def test_another_velocity_is_found(partition: PredictedPartition) -> None:
    place = _streams(partition)[3]
    table = pa.ipc.open_stream(partition.outputs[topics.PREDICTIONS][place][1]).read_all()
    velocity = table["velocity"].to_numpy().copy()
    velocity[50] += 0.01
    _tamper(partition, 3, np.arange(len(table)), velocity=velocity)
    row = partition.verify()
    assert (row.lost, row.doubled) == (0, 0)
    assert row.wrong >= 1
    assert "not what the model says" in str(row.differences[0])


def test_another_timestamp_is_found(partition: PredictedPartition) -> None:
    place = _streams(partition)[3]
    table = pa.ipc.open_stream(partition.outputs[topics.PREDICTIONS][place][1]).read_all()
    times = table["timestamp_us"].to_numpy().copy()
    times[7] += 1
    _tamper(partition, 3, np.arange(len(table)), timestamp_us=times)
    row = partition.verify()
    assert (row.lost, row.doubled, row.wrong) == (0, 0, 1)


def test_predictions_of_a_model_that_the_store_has_not_are_not_proved(
    partition: PredictedPartition, tmp_path: Path
) -> None:
    partition.store = open_store(load_settings(models={"url": f"file://{tmp_path}"}))
    row = partition.verify()
    assert row.wrong == 2
    assert "the store has no model velocity version 1" in str(row.differences[0])


def test_a_tick_taken_away_is_found(partition: PredictedPartition) -> None:
    outputs = partition.outputs[topics.PREDICTIONS]
    outputs.remove(next(o for o in outputs if o[1] == TICK))
    assert partition.verify().wrong == 1


def test_windows_taken_away_doubled_and_changed_are_found(partition: PredictedPartition) -> None:
    outputs = partition.outputs[topics.AGGREGATED]
    gone = outputs.pop(1)
    assert partition.verify().lost == 1
    outputs[1:1] = [gone, gone]
    assert partition.verify().doubled == 1
    del outputs[1]
    for field in ("samples", "distance_m", "resets", "skipped", "through_offset", "moving_share"):
        changed = json.loads(gone[1])
        changed[field] += 1
        outputs[1] = (gone[0], json.dumps(changed).encode(), gone[2])
        row = partition.verify()
        assert row.lost + row.doubled + row.wrong >= 1, field
        assert field in str(row.differences) or field == "through_offset"
    outputs[1] = gone
    assert _all_right(partition.verify())


def test_a_wrong_count_of_the_ledger_is_found(partition: PredictedPartition) -> None:
    partition.counts["predicted"] -= 1
    partition.counts["skipped"] += 1
    assert partition.verify().wrong == 2


def test_dead_letters_taken_away_or_doubled_are_found(
    settings: Settings, store: ModelStore
) -> None:
    rows = rows_on_time(0, 30)
    rows[20] = rows[20]._replace(acc_x=0.0)
    values = [stream(rows), b"?", stream(rows_on_time(30, 60)), TICK]
    partition = PredictedPartition(values, settings, store, [MODELS["3"]])
    letters = partition.outputs[topics.DEAD_LETTERS]
    assert len(letters) == 2
    assert _all_right(partition.verify())
    for at in (0, 1):
        kept = list(letters)
        del letters[at]
        assert partition.verify().lost >= 1
        letters[:] = [*kept[: at + 1], kept[at], *kept[at + 1 :]]
        assert partition.verify().doubled >= 1
        letters[:] = kept
