"""How fast sensor_processing drains a backlog, exactly once, windows and ledger included."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from confluent_kafka import Producer

from cluster.bench.backlog_progress import LedgerFollower, end_offsets
from cluster.bench.cpu import CpuMeter
from cluster.bench.proof import proof
from pipelines import topics
from pipelines.batching import RECEIVED_HEADER
from pipelines.control import change_control
from pipelines.errors import UnavailableError
from pipelines.kafka_clients import new_producer, producer_options
from pipelines.operators.sensor_processing import SensorProcessing
from pipelines.partitioner import partition_of
from pipelines.records import InputBatch
from pipelines.settings import Settings
from simulator.backlog import Backlog, Payload
from simulator.options import FleetOptions

PIPELINE = SensorProcessing.name
_TIMEOUT_S = 300.0
_PAUSED_TICKS = 2
_TRANSIT_US = 10_000
_OPERATOR_FRAMES = 8_000
_OPERATOR_PASSES = 5

Report = Callable[[str], None]


class DrainRun(NamedTuple):
    """What to drain: ``seconds`` of data of a fleet."""

    sensors: int
    rate_hz: float
    seconds: float


def measure_drain(
    settings: Settings, stack_id: str, run: DrainRun, report: Report
) -> dict[str, Any]:
    """Pause the pipeline, make a backlog, go on, and return how fast it drained.

    Raises:
        UnavailableError: the stack does not run, or the backlog did not drain.
    """
    follower = LedgerFollower(settings)
    report("pausing the pipeline")
    record = change_control(settings.kafka, PIPELINE, paused=True)
    try:
        wait_until_paused(settings, PIPELINE, follower)
        report(f"making {run.seconds:g} s of {run.sensors} sensors")
        frames, sample = make_backlog(settings, run)
        operator_rate = _operator_alone(settings, sample)
        before = follower.samples()
        cpu = CpuMeter(stack_id)
    finally:
        change_control(settings.kafka, PIPELINE, paused=False)
    report("draining")
    ends = end_offsets(settings)
    first, last = drained(follower, ends)
    spent = cpu.seconds()
    follower.close()
    report("proving that nothing is lost or doubled")
    proved = proof(settings, None)
    samples = last.samples - before
    return {
        "samples_per_s": round((last.samples - first.samples) / (last.at_s - first.at_s)),
        "samples": samples,
        "frames": frames,
        "seconds": round(last.at_s - first.at_s, 2),
        "slots": record.slots,
        "lost": proved.lost,
        "doubled": proved.doubled,
        "stages": {
            "operator_alone": {"samples_per_cpu_s": operator_rate},
            **{
                part: {
                    "cpu_s": s,
                    "samples_per_cpu_s": round(samples / s),
                    "cpu_us_per_frame": round(s * 1e6 / frames, 1),
                }
                for part, s in spent.items()
            },
        },
    }


class Point(NamedTuple):
    """A commit: when it was seen, and how many samples were done by then."""

    at_s: float
    samples: int


def drained(follower: LedgerFollower, ends: dict[int, int]) -> tuple[Point, Point]:
    """Return the first commit seen and the one that reached all of ``ends``.

    Raises:
        UnavailableError: there was none in time.
    """
    deadline = time.monotonic() + _TIMEOUT_S
    first: Point | None = None
    while time.monotonic() < deadline:
        if not follower.poll(0.05):
            continue
        point = Point(time.monotonic(), follower.samples())
        if first is None:
            first = point
        if all(follower.next_offset(p) >= end for p, end in ends.items()):
            return first, point
    raise UnavailableError(f"the backlog did not drain in {_TIMEOUT_S:g} s; see `imustream status`")


def wait_until_paused(settings: Settings, pipeline: str, follower: LedgerFollower) -> None:
    """Wait until the ticks, which never pause, pile up before every partition's slot.

    Raises:
        UnavailableError: they did not in time.
    """
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline:
        follower.poll(0.2)
        ends = end_offsets(settings, topics.INPUT_OF[pipeline])
        if all(end - follower.next_offset(p) >= _PAUSED_TICKS for p, end in ends.items()):
            return
    raise UnavailableError(f"{pipeline} did not pause in {_TIMEOUT_S:g} s; see `imustream status`")


def make_backlog(settings: Settings, run: DrainRun) -> tuple[int, list[Payload]]:
    """Produce a backlog into imu-data-all; return its number of frames, and the first of them.

    Raises:
        UnavailableError: Kafka did not take it.
    """
    producer = new_producer(
        producer_options(settings.kafka, "imustream.bench")
        | {"linger.ms": 50, "queue.buffering.max.messages": 200_000}
    )
    fleet = FleetOptions(
        sensors=run.sensors,
        rate_hz=run.rate_hz,
        seconds=run.seconds,
        sensor_prefix=f"drain{int(time.time())}-",
        as_fast_as_possible=True,
    )
    partitions = {i: partition_of(i) for i in fleet.sensor_ids()}
    frames = 0
    sample: list[Payload] = []
    for payload in Backlog(fleet):
        _produce(producer, payload, partitions[payload.sensor_id])
        if len(sample) < _OPERATOR_FRAMES:
            sample.append(payload)
        frames += 1
    if producer.flush(60):
        raise UnavailableError("Kafka did not take the backlog; see `imustream status`")
    return frames, sample


def _produce(producer: Producer, payload: Payload, partition: int) -> None:
    key = payload.sensor_id.encode()
    while True:
        try:
            producer.produce(
                topics.RAW,
                value=payload.payload,
                key=key,
                partition=partition,
                timestamp=payload.time_us // 1000,
                headers=[
                    ("mqtt-topic", b"imu/" + key),
                    (RECEIVED_HEADER, b"%d" % (payload.time_us + _TRANSIT_US)),
                    (topics.CONTENT_TYPE, topics.FRAMES_TYPE.encode()),
                ],
            )
            producer.poll(0)
            return
        except BufferError:
            producer.poll(0.1)


def _operator_alone(settings: Settings, payloads: list[Payload]) -> int:
    """Return the samples a CPU second that the operator takes in without Kafka around it."""
    operator = SensorProcessing(settings.processing)
    count = len(payloads)
    batch = InputBatch(
        keys=[p.sensor_id.encode() for p in payloads],
        values=[p.payload for p in payloads],
        offsets=np.arange(count, dtype=np.int64),
        received_us=np.array([p.time_us for p in payloads], np.int64),
    )
    operator.step(operator.new_state(0), batch)
    samples = 0
    began_s = time.process_time()
    for _ in range(_OPERATOR_PASSES):
        state = operator.new_state(0)
        operator.step(state, batch)
        samples += operator.counts(state)["samples"]
    return round(samples / (time.process_time() - began_s))
