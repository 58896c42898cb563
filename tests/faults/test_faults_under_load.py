"""Whatever is killed, stopped or moved under load: nothing is lost and nothing is doubled."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from cluster.local.stack import Stack
from pipelines import topics
from pipelines.changelog import read_changelog
from pipelines.control import change_control, read_control
from tests.faults.load import actor_processes, load, wait_for

PIPELINE = "sensor-processing"
OUTAGE_S = 20.0
MOSQUITTO_OUTAGE_S = 3.0
BACK_AT_WORK_S = 30.0


def committed(stack: Stack) -> int:
    """Return how many frames are counted by all ledgers."""
    saved = read_changelog(
        stack.settings.kafka,
        topics.SENSOR_PROCESSING_CHANGELOG,
        list(range(topics.PARTITIONS)),
    )
    return sum(s.ledger.counts["frames"] for s in saved.values() if s.ledger is not None)


def wait_until_it_works(stack: Stack) -> None:
    """Wait until frames are counted that were not before."""
    before = committed(stack)
    wait_for("frames go on", lambda: committed(stack) > before, BACK_AT_WORK_S)


def kill(actor_class: str) -> Callable[[Stack], None]:
    """Return what kills every process of an actor's class with SIGKILL."""

    def strike(stack: Stack) -> None:
        killed = actor_processes(stack, actor_class)
        assert killed, f"no process of {actor_class}"
        for process in killed:
            process.kill()
        gone = {process.pid for process in killed}
        wait_for(
            f"{actor_class} is back",
            lambda: bool({p.pid for p in actor_processes(stack, actor_class)} - gone),
        )

    return strike


def stop_kafka(stack: Stack) -> None:
    stack.stop("kafka")
    hold(OUTAGE_S)
    stack.start("kafka")


def restart_mosquitto(stack: Stack) -> None:
    stack.stop("mosquitto")
    hold(MOSQUITTO_OUTAGE_S)
    stack.start("mosquitto")


def hold(seconds: float) -> None:
    """Let an outage last: here the time itself is what is tested."""
    end = time.monotonic() + seconds
    wait_for("the outage lasts", lambda: time.monotonic() >= end, seconds + 5)


def rescale(slots: int) -> Callable[[Stack], None]:
    """Return what sets the number of slots and waits until they run."""

    def strike(stack: Stack) -> None:
        change_control(stack.settings.kafka, PIPELINE, slots=slots)
        wait_for(
            f"{slots} slots run",
            lambda: read_control(stack.settings.kafka).pipelines[PIPELINE].running_slots == slots,
        )

    return strike


class Case(NamedTuple):
    """Strikes one after the other, and seconds of load that outlast them."""

    strikes: tuple[Callable[[Stack], None], ...]
    seconds: float


CASES = {
    "kill-bridge": Case((kill("Bridge"),) * 2, 25),
    "kill-slot": Case((kill("Processor"),) * 2, 25),
    "kill-supervisor": Case((kill("Supervisor"), rescale(2), kill("Supervisor")), 40),
    "rescale": Case((rescale(3), rescale(1), rescale(2)), 40),
    "mosquitto-restart": Case((restart_mosquitto,), 25),
    "kafka-outage": Case((stop_kafka,), 45),
}


@pytest.mark.parametrize("name", CASES)
def test_nothing_is_lost_or_doubled(name: str, stack: Stack, tmp_path: Path) -> None:
    case = CASES[name]
    with load(stack, name, case.seconds, tmp_path) as running:
        wait_until_it_works(stack)
        for strike in case.strikes:
            strike(stack)
            wait_until_it_works(stack)
        assert running.running, "the load ended before the last strike was over"
        running.prove()
