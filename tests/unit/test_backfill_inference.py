"""ml_inference within a backfill: the same rows, windows between the right ticks, one model."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipelines import topics
from pipelines.backfill.chain import PIPELINES, Chain, is_tick
from pipelines.backfill.fixed_model import choose_model
from pipelines.backfill.output_tables import tables_of
from pipelines.backfill.plan import PartitionPlan
from pipelines.backfill.replay import Chunk, Replay, Saved
from pipelines.backfill.time_span import TimeSpan
from pipelines.errors import ConfigurationError, NotFoundError
from pipelines.models.channels import Channels
from pipelines.models.folder_store import FolderStore
from pipelines.operators.ml_inference import MlInference
from pipelines.operators.sensor_processing import SensorProcessing
from pipelines.records import Output
from pipelines.settings import load_settings
from tests.small_model import small_model_files
from tests.unit.archived_fleet import FAULTY, fleet_records
from tests.unit.frame_building import Record, batch
from tests.unit.models_in_memory import ModelsInMemory, small_model

MODEL = small_model("3")
SETTINGS = load_settings(backfill={"chunk_bytes": 50_000, "step_records": 64})
KEY = ["sensor_id", "boot", "sample_index"]


@pytest.fixture(scope="module")
def records() -> list[Record]:
    """The fullest partition of a fleet with every fault."""
    return max(fleet_records(FAULTY).values(), key=len)


def replay(records: list[Record], saved: Saved | None = None) -> list[Chunk]:
    plan = PartitionPlan(3, 0, 0, 0, len(records), len(records))
    made = Replay(plan, TimeSpan(), PIPELINES, SETTINGS, "test", saved, MODEL)
    first = made.saved.next_offset
    return list(made.chunks(iter([batch(records[first:], first)])))


def by_sample(table: pa.Table) -> pa.Table:
    """Return predictions in the order of their samples, with plain ids."""
    table = table.select([*KEY, "velocity", "moving_probability"])
    table = table.set_column(0, "sensor_id", table["sensor_id"].cast(pa.string()))
    return table.sort_by([(name, "ascending") for name in KEY])


def rows_of(chunks: list[Chunk], topic: str) -> pa.Table:
    return pa.concat_tables([chunk.tables[topic] for chunk in chunks if topic in chunk.tables])


def live(records: list[Record]) -> list[Output]:
    """What ml_inference makes of all that sensor_processing makes."""
    processing = SensorProcessing(SETTINGS.processing, "test")
    outputs = processing.step(processing.new_state(3), batch(records))
    samples = [output for output in outputs if output.topic == topics.TRANSFORMED]
    models = ModelsInMemory(MODEL)
    inference = MlInference(
        SETTINGS.inference, SETTINGS.processing, models.inference(), models, "test"
    )
    read = batch([(None, bytes(output.value), 0) for output in samples])
    return inference.step(inference.new_state(3), read)


def test_predictions_and_velocity_windows_are_those_of_the_live_run(records: list[Record]) -> None:
    chunks = replay(records)
    expected = tables_of(live(records), TimeSpan())
    found = rows_of(chunks, topics.PREDICTIONS)
    ours, theirs = by_sample(found), by_sample(expected[topics.PREDICTIONS])
    assert ours.select(KEY) == theirs.select(KEY)
    assert len(ours) > 10_000
    for name in ("velocity", "moving_probability"):
        np.testing.assert_allclose(ours[name].to_numpy(), theirs[name].to_numpy(), atol=1e-5)
    assert found["model_version"].unique().to_pylist() == ["3"]
    windows = rows_of(chunks, topics.AGGREGATED)
    velocity = windows.filter(pa.compute.equal(windows["kind"], "velocity"))
    facts = ["sensor_id", "boot", "start_us", "samples", "closed_by", "resets", "skipped"]
    order = [(name, "ascending") for name in facts]
    expected_windows = expected[topics.AGGREGATED].select(facts).sort_by(order)
    assert velocity.select(facts).sort_by(order) == expected_windows
    assert len(velocity) > 50


def test_sessions_carry_the_velocity_of_their_windows(records: list[Record]) -> None:
    chunks = replay(records)
    sessions = rows_of(chunks, topics.SESSIONS).to_pylist()
    last = max(sessions, key=lambda event: event["revision"])
    assert last["velocity_windows"] > 10
    assert last["velocity_max"] > 0


def test_gone_on_with_from_any_chunk_the_chunks_are_the_same(records: list[Record]) -> None:
    once = replay(records)
    assert len(once) > 3
    for stopped in (0, len(once) // 2):
        again = replay(records, once[stopped].saved)
        for expected, found in zip(once[stopped + 1 :], again, strict=True):
            assert found.tables.keys() == expected.tables.keys()
            for topic, table in expected.tables.items():
                assert found.tables[topic].to_pylist() == table.to_pylist()


def test_windows_of_both_kinds_stand_between_the_ticks_they_were_made_between(
    records: list[Record],
) -> None:
    """Velocity windows follow the motion windows before the same tick."""
    chain = Chain(PIPELINES, 3, SETTINGS, "test", {}, MODEL)
    outputs = [o for o in chain.step(batch(records)) if o.topic == topics.AGGREGATED]
    ticks = [row for row, (key, _, _) in enumerate(records) if key is None]
    bounds, at = [-1, *ticks, len(records)], 0
    kinds: list[bool] = []
    for output in outputs:
        if is_tick(output):
            at += 1
            kinds = []
            continue
        offset = offset_of(output)
        assert bounds[at] <= offset <= bounds[at + 1]
        kinds.append(b'"velocity"' in bytes(output.value)[:30])
        assert kinds == sorted(kinds)
    assert at == len(ticks)


def offset_of(output: Output) -> int:
    tables = tables_of([output], TimeSpan())
    offset: int = tables[topics.AGGREGATED]["offset"][0].as_py()
    return offset


def test_the_model_is_the_named_or_else_the_stable_one(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    for version in ("1", "2"):
        files = small_model_files(version=version, hidden_units=8, velocity_bias=1.0)
        store.push("velocity", version, files)
    with pytest.raises(ConfigurationError, match="no stable version"):
        choose_model(store, "velocity", None)
    store.set_channels("velocity", Channels(stable="2"), store.channels("velocity"))
    assert choose_model(store, "velocity", None).version == "2"
    assert choose_model(store, "velocity", "velocity@1").version == "1"
    with pytest.raises(ConfigurationError, match="NAME@VERSION"):
        choose_model(store, "velocity", "velocity")
    with pytest.raises(NotFoundError):
        choose_model(store, "velocity", "velocity@7")
