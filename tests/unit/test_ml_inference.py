"""What ml_inference does to samples, as a list of promises."""

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pipelines
from pipelines import topics
from pipelines.errors import PipelineStoppedError, UnavailableError
from pipelines.models.model_files import Model
from pipelines.operators.inference_state import InferenceState
from pipelines.operators.ml_inference import SHARED_BYTES, MlInference
from pipelines.predictions import SCHEMA, ModelId, model_of
from pipelines.records import Output
from pipelines.settings import InferenceSettings, ProcessingSettings
from pipelines.transformed import STREAM_BYTES
from tests.unit.frame_building import PERIOD_US, START_US, TICK
from tests.unit.models_in_memory import ModelsInMemory, model_without_numbers, small_model
from tests.unit.transformed_building import Move, batch_of, moves, rows_on_time, stream, values_of

WINDOW_SCHEMA = json.loads(
    (Path(pipelines.__file__).parent / "schemas" / "window.schema.json").read_text()
)
ONE, TWO = small_model("1"), small_model("2", hidden_units=4, velocity_bias=5.0)
NUMBERLESS = model_without_numbers()
FORGET_TICKS = 60

Key = tuple[str, int, int]
"""Sensor, boot and sample number."""


class Run:
    """An operator on one partition, and what it has put out so far."""

    def __init__(self, *models: Model, on_nan: str = "dead_letter", **rules: Any) -> None:
        self.models = ModelsInMemory(*(models or (ONE,)))
        self.operator = MlInference(
            InferenceSettings.model_validate({"on_nan": on_nan}),
            ProcessingSettings(forget_ticks=FORGET_TICKS, **rules),
            self.models.inference(),
            self.models,
            "test",
        )
        self.state: InferenceState = self.operator.new_state(3)
        self.saved: dict[bytes, bytes] = {}
        self.saved_counts: dict[str, int] = {}
        self.saved_offset = 0
        self.outputs: list[Output] = []
        self.values: list[bytes] = []

    def feed(self, *values: bytes) -> "Run":
        batch = batch_of(values, len(self.values))
        (found,) = self.operator.step_all([(self.state, batch)])
        self.outputs += found
        self.values += values
        if self.operator.must_save(self.state):
            self.save()
        return self

    def want(self, model: Model) -> "Run":
        self.models.want(model)
        return self

    def save(self) -> None:
        """Take a snapshot."""
        for key, value in self.operator.changes(self.state):
            if value is None:
                self.saved.pop(key, None)
            else:
                self.saved[key] = value
        self.saved_counts = self.operator.counts(self.state)
        self.saved_offset = len(self.values)

    def restart(self) -> "Run":
        """Go on from the last snapshot and a silent replay, as a new process does."""
        if not self.saved:
            assert not self.values
            return self
        self.state = self.operator.restore(3, reversed(self.saved.items()), self.saved_counts)
        behind = self.values[self.saved_offset :]
        if behind:
            self.operator.step(self.state, batch_of(behind, self.saved_offset))
        return self

    @property
    def counts(self) -> dict[str, int]:
        return self.operator.counts(self.state)

    @property
    def predictions(self) -> dict[Key, tuple[float, float, ModelId]]:
        """By sensor, boot and number: velocity, probability, model; none is there twice."""
        found: dict[Key, tuple[float, float, ModelId]] = {}
        for table in tables_of(self.outputs):
            model = model_of(table.schema.metadata)
            for row in table.to_pylist():
                key = (row["sensor_id"], row["boot"], row["sample_index"])
                assert key not in found
                found[key] = (row["velocity"], row["moving_probability"], model)
        return found

    @property
    def windows(self) -> list[dict[str, Any]]:
        return [json.loads(o.value) for o in self.outputs if o.topic == topics.AGGREGATED]

    @property
    def letters(self) -> list[tuple[Output, dict[str, str]]]:
        found = [o for o in self.outputs if o.topic == topics.DEAD_LETTERS]
        return [(o, {name: value.decode() for name, value in o.headers}) for o in found]


def tables_of(outputs: Sequence[Output]) -> list[pa.Table]:
    streams = [o for o in outputs if o.topic == topics.PREDICTIONS and o.value != TICK]
    return [pa.ipc.open_stream(o.value).read_all() for o in streams]


def one_by_one(model: Model, rows: int, reset_at: Sequence[int] = ()) -> list[tuple[float, float]]:
    """What onnxruntime says of samples [0, rows) of sensor1, given to it one at a time."""
    infer = ModelsInMemory(model).inference()
    table = pa.ipc.open_stream(stream(rows_on_time(0, rows))).read_all()
    raw = np.stack([table[name].to_numpy() for name in model.features], axis=1)
    scaled = (raw - model.mean) / model.std
    hidden = cell = np.zeros((1, 1, model.hidden_units), np.float32)
    found = []
    for row in range(rows):
        if row in reset_at:
            hidden = cell = np.zeros_like(hidden)
        said, hidden, cell = infer(
            model.id, scaled[row].reshape(1, 1, -1), np.array([1], np.int32), hidden, cell
        )
        found.append((float(said[0, 0, 0]), float(said[0, 0, 1])))
    return found


def assert_balanced(run: Run) -> None:
    counts = run.counts
    assert counts["samples"] == counts["predicted"] + counts["skipped"] + counts["not_a_number"]
    assert counts["predicted"] == len(run.predictions)
    assert counts["velocity_windows"] == len(run.windows)
    assert counts["dead_letters"] == len(run.letters)


def test_every_sample_is_predicted_as_onnxruntime_says_alone() -> None:
    run = Run().feed(stream(rows_on_time(0, 100)), stream(rows_on_time(100, 300)))
    found = run.predictions
    assert list(found) == [("sensor1", 0, index) for index in range(300)]
    said = np.array([values[:2] for values in found.values()])
    assert said == pytest.approx(np.array(one_by_one(ONE, 300)), abs=1e-5)
    assert {values[2] for values in found.values()} == {ONE.id}
    assert run.counts["predicted"] == 300
    assert run.counts["resets"] == 1
    assert_balanced(run)


def test_predictions_have_the_contracts_schema_and_bounded_streams() -> None:
    run = Run()
    rows = [row for s in range(40) for row in rows_on_time(0, 1_000, f"sensor{s}")]
    run.feed(stream(rows))
    streams = [o for o in run.outputs if o.topic == topics.PREDICTIONS]
    assert len(streams) > 1
    for output in streams:
        assert len(output.value) <= STREAM_BYTES
        assert (topics.CONTENT_TYPE, topics.ARROW_TYPE.encode()) in output.headers
    for table in tables_of(run.outputs):
        assert table.schema.equals(SCHEMA)
    assert len(run.predictions) == 40_000


def test_a_sample_that_comes_after_its_successors_gets_no_prediction_and_is_counted() -> None:
    run = Run().feed(stream(rows_on_time(0, 50)), stream(rows_on_time(60, 100)))
    run.feed(stream(rows_on_time(40, 70)))
    assert run.counts["skipped"] == 30
    assert len(run.predictions) == 90
    assert_balanced(run)


def test_a_small_gap_goes_on_and_a_large_one_begins_the_models_state_anew() -> None:
    run = Run().feed(stream(rows_on_time(0, 50)), stream(rows_on_time(150, 200)))
    assert run.counts["resets"] == 1
    run.feed(stream(rows_on_time(301, 350)))
    assert run.counts["resets"] == 2


def test_a_new_boot_begins_the_models_state_anew_and_its_predecessors_samples_are_skipped() -> None:
    run = Run().feed(stream(rows_on_time(0, 50)), stream(rows_on_time(0, 50, boot=1)))
    run.feed(stream(rows_on_time(50, 60)))
    assert run.counts["resets"] == 2
    assert run.counts["skipped"] == 10
    first, second = ([v[:2] for k, v in run.predictions.items() if k[1] == boot] for boot in (0, 1))
    assert first[0] != pytest.approx(second[1], abs=1e-6)
    (window,) = run.windows
    assert (window["closed_by"], window["samples"], window["boot"]) == ("reboot", 50, 0)


def test_a_velocity_window_is_what_its_predictions_say() -> None:
    run = Run()
    for start in range(0, 1_000, 100):
        run.feed(stream(rows_on_time(start, start + 100)))
    first_us = START_US // 2_000_000 * 2_000_000
    assert [w["start_us"] for w in run.windows] == [first_us, first_us + 2_000_000]
    for window in run.windows:
        jsonschema.validate(window, WINDOW_SCHEMA)
        inside = [
            values
            for (_, _, index), values in run.predictions.items()
            if window["start_us"] <= START_US + index * PERIOD_US < window["end_us"]
        ]
        velocity = np.array([v for v, _, _ in inside], np.float64)
        assert window["samples"] == len(inside)
        assert window["velocity_max"] == pytest.approx(velocity.max())
        assert window["distance_m"] == pytest.approx(velocity.sum() / 200)
        assert window["moving_share"] == pytest.approx(np.mean([m >= 0.5 for _, m, _ in inside]))
        assert window["model"] == ONE.id._asdict()
        assert window["closed_by"] == "time"
    assert [w["resets"] for w in run.windows] == [1, 0]


def test_ten_ticks_of_silence_close_a_window_and_ticks_go_to_the_predictions_alone() -> None:
    run = Run().feed(stream(rows_on_time(0, 50)), *[TICK] * 9)
    assert run.windows == []
    run.feed(TICK)
    (window,) = run.windows
    assert window["closed_by"] == "silence"
    assert window["through_offset"] == 11
    assert [o.topic for o in run.outputs if o.value == TICK] == [topics.PREDICTIONS] * 10
    assert run.counts["ticks"] == 10


def test_skipped_samples_are_told_by_the_next_window_of_the_sensor() -> None:
    run = Run().feed(stream(rows_on_time(10, 50)), stream(rows_on_time(0, 10)), *[TICK] * 10)
    assert [w["skipped"] for w in run.windows] == [10]


def test_a_sensor_silent_for_long_is_forgotten_and_begins_anew() -> None:
    run = Run().feed(stream(rows_on_time(0, 50, boot=4)), *[TICK] * FORGET_TICKS)
    run.save()
    assert list(run.saved) == [b"model"]
    run.feed(stream(rows_on_time(0, 50)))
    assert run.counts["predicted"] == 100
    assert run.counts["sensors_forgotten"] == 1


def test_what_is_no_stream_of_samples_is_a_dead_letter_and_the_rest_goes_on() -> None:
    good = stream(rows_on_time(0, 10))
    negative = stream(rows_on_time(-5, 5))
    other = pa.table({"x": [1]})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, other.schema) as writer:
        writer.write_table(other)
    refused = [b"", b"?", b"{not a tick", good[:-100], negative, sink.getvalue().to_pybytes()]
    run = Run().feed(*refused, good)
    assert [o.value for o, _ in run.letters] == refused
    for offset, (_, headers) in enumerate(run.letters):
        assert headers["reason"] == "not_samples"
        assert headers["pipeline"] == "ml-inference"
        assert headers["source"] == f"sensor-data-transformed/3/{offset}"
    assert run.counts["predicted"] == 10
    assert_balanced(run)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 2**31), st.lists(st.integers(0, 255), min_size=1, max_size=3))
def test_a_damaged_stream_never_stops_the_pipeline(place: int, damage: list[int]) -> None:
    good = stream(rows_on_time(0, 10))
    damaged = bytearray(good)
    for i, byte in enumerate(damage):
        damaged[(place + i) % len(damaged)] = byte
    run = Run().feed(bytes(damaged), stream(rows_on_time(0, 10, "whole")))
    assert sum(key[0] == "whole" for key in run.predictions) == 10
    assert_balanced(run)


def test_samples_without_a_number_are_a_dead_letter_and_the_next_record_begins_anew() -> None:
    rows = rows_on_time(0, 30)
    rows[20] = rows[20]._replace(acc_x=0.0)
    run = Run(NUMBERLESS).feed(stream(rows), stream(rows_on_time(30, 60)))
    ((letter, headers),) = run.letters
    assert headers["reason"] == "not_a_number"
    assert letter.key == b"sensor1"
    lost = pa.ipc.open_stream(letter.value).read_all()
    assert lost["sample_index"].to_pylist() == list(range(20, 30))
    assert run.counts["not_a_number"] == 10
    assert run.counts["resets"] == 2
    said = np.array([v[:2] for k, v in run.predictions.items() if k[2] >= 30])
    alone = Run(NUMBERLESS).feed(stream(rows_on_time(30, 60)))
    assert said == pytest.approx(np.array([v[:2] for v in alone.predictions.values()]), abs=1e-5)
    assert_balanced(run)


def test_samples_without_a_number_stop_the_pipeline_where_that_is_set() -> None:
    run = Run(NUMBERLESS, on_nan="stop")
    with pytest.raises(PipelineStoppedError, match="gave no number for sample 3 of sensor sensor1"):
        run.feed(stream(rows_on_time(0, 3)), stream(rows_on_time(3, 9, acc_x=0.0)))


def test_without_a_model_nothing_is_taken_in() -> None:
    run = Run()
    run.models.newest = None
    with pytest.raises(UnavailableError, match="no model is ready"):
        run.feed(stream(rows_on_time(0, 3)))


def test_another_model_is_adopted_at_a_turn_and_begins_every_state_anew() -> None:
    run = Run().feed(stream(rows_on_time(0, 50)))
    run.want(TWO).feed(stream(rows_on_time(50, 100)))
    said = list(run.predictions.values())
    assert [v[2] for v in said] == [ONE.id] * 50 + [TWO.id] * 50
    assert run.counts["resets"] == 2
    alone = Run(TWO).feed(stream(rows_on_time(50, 100)))
    assert [v[0] for v in said[50:]] == pytest.approx(
        [v[0] for v in alone.predictions.values()], abs=1e-5
    )


def test_a_window_names_the_model_of_its_last_sample() -> None:
    run = Run().feed(stream(rows_on_time(0, 50, "one") + rows_on_time(0, 50, "other")))
    run.want(TWO).feed(stream(rows_on_time(50, 60, "other"))).restart().feed(*[TICK] * 10)
    models = {w["sensor_id"]: w["model"]["version"] for w in run.windows}
    assert models == {"one": "1", "other": "2"}


def test_a_replay_runs_the_model_of_its_snapshot_whatever_is_wanted_now() -> None:
    run = Run().feed(stream(rows_on_time(0, 50)))
    run.feed(stream(rows_on_time(50, 100)))
    run.want(TWO).restart()
    assert run.state.model == ONE.id
    run.feed(stream(rows_on_time(100, 150)))
    assert run.state.model == TWO.id
    assert run.operator.must_save(run.state) is False  # it was saved with that turn
    assert json.loads(run.saved[b"model"])["version"] == "2"


def test_partitions_of_a_turn_share_one_call() -> None:
    run = Run()
    batches: list[int] = []
    infer = run.models.inference()

    def counting(model: ModelId, features: Any, lengths: Any, hidden: Any, cell: Any) -> Any:
        batches.append(len(lengths))
        return infer(model, features, lengths, hidden, cell)

    operator = MlInference(InferenceSettings(), ProcessingSettings(), counting, run.models)
    turns = []
    for partition in range(10):
        rows = [row for s in range(5) for row in rows_on_time(0, 64, f"sensor{partition}-{s}")]
        turns.append((operator.new_state(partition), batch_of([stream(rows)])))
    outputs = operator.step_all(turns)
    assert batches == [50]
    for partition, found in enumerate(outputs):
        (table,) = tables_of(found)
        assert set(table["sensor_id"].to_pylist()) == {f"sensor{partition}-{s}" for s in range(5)}


def test_a_backlog_run_in_shares_gives_what_each_partition_gives_alone() -> None:
    run = Run()
    operator = MlInference(
        InferenceSettings(), ProcessingSettings(), run.models.inference(), run.models
    )
    batches = []
    for partition in range(5):
        rows = [r for s in range(40) for r in rows_on_time(0, 400, f"sensor{partition}-{s}")]
        batches.append(batch_of([stream(rows), TICK]))
    together = operator.step_all([(operator.new_state(p), b) for p, b in enumerate(batches)])
    assert sum(len(value) for batch in batches for value in batch.values) > SHARED_BYTES
    for partition, batch in enumerate(batches):
        alone = operator.step(operator.new_state(partition), batch)
        assert [o.topic for o in together[partition]] == [o.topic for o in alone]
        for found, right in zip(tables_of(together[partition]), tables_of(alone), strict=True):
            assert found["sensor_id"].to_pylist() == right["sensor_id"].to_pylist()
            assert found["velocity"].to_numpy() == pytest.approx(right["velocity"].to_numpy())


def _cut(values: list[bytes], cuts: list[int]) -> list[list[bytes]]:
    places = sorted({cut % (len(values) + 1) for cut in cuts} | {0, len(values)})
    return [values[a:b] for a, b in pairwise(places)]


@settings(deadline=None, max_examples=100)
@given(moves, st.lists(st.integers(0, 60), max_size=6), st.data())
def test_cuts_and_restarts_change_neither_rows_nor_windows(
    stream_moves: list[Move], cuts: list[int], data: st.DataObject
) -> None:
    values = values_of(stream_moves)
    whole = Run(NUMBERLESS, silence_ticks=3).feed(*values)
    parts = Run(NUMBERLESS, silence_ticks=3)
    for part in _cut(values, cuts):
        parts.feed(*part)
        what = data.draw(st.sampled_from(["go on", "save", "restart"]))
        if what == "save":
            parts.save()
        elif what == "restart":
            parts.restart()
    assert parts.counts == whole.counts
    found, right = parts.predictions, whole.predictions
    assert list(found) == list(right)
    said, expected = (np.array([v[:2] for v in of.values()]) for of in (found, right))
    assert said == pytest.approx(expected, abs=1e-5)
    assert len(parts.windows) == len(whole.windows)
    for window, same in zip(parts.windows, whole.windows, strict=True):
        for name, value in same.items():
            if isinstance(value, float):
                assert window[name] == pytest.approx(value, abs=1e-3)
            else:
                assert window[name] == value
    assert [o.value for o, _ in parts.letters] == [o.value for o, _ in whole.letters]
    assert_balanced(parts)


@settings(deadline=None, max_examples=30)
@given(moves, st.integers(0, 60), st.integers(0, 60))
def test_a_switch_of_the_model_loses_and_doubles_nothing_through_a_restart(
    stream_moves: list[Move], switch: int, stop: int
) -> None:
    values = values_of(stream_moves)
    steady, switched = Run(), Run()
    steady.feed(*values)
    first, second, third = [*_cut(values, [switch, stop]), [], [], []][:3]
    switched.feed(*first).want(TWO)
    if second:
        switched.feed(*second)
    switched.restart().feed(*third)
    assert list(switched.predictions) == list(steady.predictions)
    assert switched.counts["samples"] == steady.counts["samples"]
    for table in tables_of(switched.outputs):
        assert model_of(table.schema.metadata) in (ONE.id, TWO.id)
    assert_balanced(switched)
