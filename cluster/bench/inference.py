"""How fast ml_inference drains a backlog through Ray Serve, against onnxruntime alone."""

import time
from typing import Any, Final, NamedTuple

import numpy as np
from confluent_kafka import TopicPartition
from numpy.typing import NDArray

from cluster.bench.backlog_progress import LedgerFollower, end_offsets, wait_until_drained
from cluster.bench.cpu import CpuMeter
from cluster.bench.drain import DrainRun, Point, Report, drained, make_backlog, wait_until_paused
from pipelines import topics
from pipelines.batching import group
from pipelines.control import change_control, read_control
from pipelines.errors import PipelineStoppedError, UnavailableError
from pipelines.kafka_clients import consumer_options, new_consumer
from pipelines.models.model_files import Model
from pipelines.models.sequence_inference import Answer, Float32, OnnxSequenceInference
from pipelines.models.store import open_store
from pipelines.operators.ml_inference import MlInference
from pipelines.predictions import ModelId
from pipelines.settings import Settings
from pipelines.verify.predictions import verify_predictions

PIPELINE: Final = MlInference.name
START_TIMEOUT_S: Final = 120.0
_READ_S: Final = 10.0


class _Alone(NamedTuple):
    """What one process did of the backlog: samples, and seconds of wall clock and CPU.

    ``onnxruntime_s`` is the wall clock inside onnxruntime; ``rest_cpu_s`` is all CPU time outside.
    """

    samples: int
    onnxruntime_s: float
    rest_cpu_s: float


def measure_inference(
    settings: Settings, stack_id: str, run: DrainRun, report: Report
) -> dict[str, Any]:
    """Make a backlog of samples before the paused pipeline, go on, and return how fast it drained.

    Before, onnxruntime runs the same sequences in this process, with nothing else to do. The
    archive, which would read the same backlog at the same time, is paused meanwhile.

    Raises:
        UnavailableError: the stack does not run, or the backlog did not drain.
        PipelineStoppedError: something was wrong with the predictions, so the figures mean nothing.
    """
    follower = LedgerFollower(settings, PIPELINE)
    model = _stable(settings)
    report("pausing the pipeline")
    archiving = read_control(settings.kafka).pipelines.get(topics.ARCHIVE)
    pause_archive = archiving is not None and not archiving.paused
    record = change_control(settings.kafka, PIPELINE, paused=True)
    if pause_archive:
        change_control(settings.kafka, topics.ARCHIVE, paused=True)
    try:
        wait_until_paused(settings, PIPELINE, follower)
        begins = {p: follower.next_offset(p) for p in range(topics.PARTITIONS)}
        report(f"making {run.seconds:g} s of {run.sensors} sensors")
        make_backlog(settings, run)
        report("having sensor_processing transform them")
        wait_until_drained(settings, ("sensor-processing",))
        report("running the same sequences by onnxruntime alone")
        alone = _alone(settings, model, begins)
        change_control(settings.kafka, PIPELINE, paused=False)
        report("draining")
        ends = end_offsets(settings, topics.TRANSFORMED)
        first = _first_commit(follower)
        cpu = CpuMeter(stack_id)
        _, last = drained(follower, ends)
        spent = cpu.seconds()
    finally:
        change_control(settings.kafka, PIPELINE, paused=False)
        if pause_archive:
            change_control(settings.kafka, topics.ARCHIVE, paused=False)
    follower.close()
    report("proving that nothing is lost or doubled")
    lost, doubled = _proof(settings)
    samples = last.samples - first.samples
    rate = samples / (last.at_s - first.at_s)
    raw_rate = alone.samples / alone.onnxruntime_s
    return {
        "samples_per_s": round(rate),
        "onnxruntime_samples_per_s": round(raw_rate),
        "share": round(rate / raw_rate, 3),
        "samples": samples,
        "seconds": round(last.at_s - first.at_s, 2),
        "model": f"{model.id.name} {model.id.version}",
        "hidden_units": model.hidden_units,
        "slots": record.slots,
        "replicas": settings.inference.replicas,
        "threads": settings.inference.threads,
        "lost": lost,
        "doubled": doubled,
        "stages": {
            "operator_alone": {"samples_per_cpu_s": round(alone.samples / alone.rest_cpu_s)},
            **{
                part: {"cpu_s": s, "samples_per_cpu_s": round(samples / s)}
                for part, s in spent.items()
            },
        },
    }


def _first_commit(follower: LedgerFollower) -> Point:
    """Return the first commit that did any samples: from then on the slot is at work."""
    before, deadline_s = follower.samples(), time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        if follower.poll(0.02) and follower.samples() > before:
            return Point(time.monotonic(), follower.samples())
    raise UnavailableError(f"{PIPELINE} did not go on in {START_TIMEOUT_S:g} s; see its status")


def _stable(settings: Settings) -> Model:
    store, name = open_store(settings), settings.inference.model
    version = store.channels(name).stable
    if version is None:
        raise UnavailableError(f"model {name} has no stable version: see `imustream models list`")
    return store.load(name, version)


class _Recorded:
    """onnxruntime in this process, and what it was asked for."""

    def __init__(self, model: Model, threads: int) -> None:
        self._infer = OnnxSequenceInference(lambda _: model, threads)
        self._calls: list[tuple[Any, ...]] = []

    def __call__(
        self,
        model: ModelId,
        features: Float32,
        lengths: NDArray[np.int32],
        hidden: Float32,
        cell: Float32,
    ) -> Answer:
        self._calls.append((model, features, lengths, hidden, cell))
        return self._infer(model, features, lengths, hidden, cell)

    def again(self) -> tuple[float, float]:
        """Run the same calls once more, and forget them; return wall clock and CPU seconds."""
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        for call in self._calls:
            self._infer(*call)
        spent = time.perf_counter() - began_s, time.process_time() - began_cpu_s
        self._calls.clear()
        return spent


class _OneModel:
    """A source of one model."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def wanted(self) -> Model:
        return self._model

    def get(self, _model: ModelId) -> Model:
        return self._model


def _alone(settings: Settings, model: Model, begins: dict[int, int]) -> _Alone:
    """Run the operator over the backlog, with onnxruntime in this process and no Kafka after it."""
    infer = _Recorded(model, settings.inference.threads)
    operator = MlInference(settings.inference, settings.processing, infer, _OneModel(model))
    states = {partition: operator.new_state(partition) for partition in begins}
    ends = end_offsets(settings, topics.TRANSFORMED)
    consumer = new_consumer(consumer_options(settings.kafka, "imustream.bench"))
    consumer.assign([TopicPartition(topics.TRANSFORMED, p, at) for p, at in begins.items()])
    wall_s = rest_cpu_s = 0.0
    try:
        left = {p for p, end in ends.items() if begins[p] < end - 1}
        while left:
            batches = group(consumer.consume(settings.slot.max_records, _READ_S))
            if not batches:
                break
            began_s = time.process_time()
            operator.step_all([(states[p], batch) for p, batch in batches.items()])
            all_cpu_s = time.process_time() - began_s
            spent_s, spent_cpu_s = infer.again()
            wall_s += spent_s
            rest_cpu_s += all_cpu_s - spent_cpu_s
            # A transaction's marker may stand last.
            left -= {p for p, batch in batches.items() if batch.offsets[-1] >= ends[p] - 2}
    finally:
        consumer.close()
    samples = sum(operator.counts(state)["predicted"] for state in states.values())
    return _Alone(samples, wall_s, rest_cpu_s)


def _proof(settings: Settings) -> tuple[int, int]:
    """Return what is lost and doubled."""
    rows = verify_predictions(settings, lambda _partition, _done, _total: None)
    lost, doubled = sum(row.lost for row in rows), sum(row.doubled for row in rows)
    wrong = [row.differences[0] for row in rows if row.wrong]
    if wrong and not lost and not doubled:
        raise PipelineStoppedError(f"the predictions are wrong, run `imustream verify`: {wrong[0]}")
    return lost, doubled
