"""The supervisor on a real Ray: rescale, pause and sudden death, under load, with nothing lost."""

import os
import signal
from collections.abc import Iterator
from functools import partial

import pytest
import ray

from actors import slots, supervisor
from actors.processor import RunFactory
from actors.slot_names import SlotName
from cluster.local.stack import Stack
from pipelines.control import change_control, read_control
from pipelines.generation import wait_for_generation
from pipelines.settings import Settings
from tests.conftest import running_stack
from tests.integration.counting_operator import counting
from tests.integration.counting_pipeline import CountingPipeline, wait_until

NAME = "supervised"
PATIENCE_S = 90.0


PIPELINES: dict[str, RunFactory] = {NAME: partial(counting, NAME)}


@pytest.fixture(scope="module")
def ray_stack() -> Iterator[Stack]:
    with running_stack(("kafka", "ray")) as stack:
        namespace = stack.settings.ray.namespace
        ray.init(stack.settings.ray.address, namespace=namespace, log_to_driver=False)
        try:
            yield stack
        finally:
            ray.shutdown()


@pytest.fixture(scope="module")
def pipeline(ray_stack: Stack) -> CountingPipeline:
    pipeline = CountingPipeline(ray_stack.settings, NAME)
    supervisor.start(ray_stack.settings, PIPELINES)
    _wait_for_generation(ray_stack.settings)
    return pipeline


def _wait_for_generation(settings: Settings) -> int:
    return wait_for_generation(settings, NAME, PATIENCE_S, lambda _: None).generation


def _scale(settings: Settings, count: int) -> int:
    change_control(settings.kafka, NAME, slots=count)
    return _wait_for_generation(settings)


def _kill_supervisor(settings: Settings) -> int:
    pid = ray.get(supervisor.find(settings).status.remote()).pid
    os.kill(pid, signal.SIGKILL)
    return int(pid)


def _kill_a_slot(settings: Settings) -> tuple[SlotName, int]:
    name, status = next(iter(slots.statuses(settings, slots.present(settings)).items()))
    os.kill(status.pid, signal.SIGKILL)
    return name, status.pid


def _is_back(settings: Settings, name: SlotName, killed: int) -> bool:
    status = slots.statuses(settings, [name]).get(name)
    return status is not None and status.pid != killed and status.phase == "running"


def test_rescales_and_sudden_deaths_under_load_lose_and_double_nothing(
    ray_stack: Stack, pipeline: CountingPipeline
) -> None:
    settings = ray_stack.settings
    with pipeline.feeding(per_s=1_000):
        before = read_control(settings.kafka).pipelines[NAME].generation
        assert _scale(settings, 3) == before + 1
        name, killed = _kill_a_slot(settings)
        wait_until(lambda: _is_back(settings, name, killed), "the slot is back", PATIENCE_S)
        change_control(settings.kafka, NAME, slots=2)
        _kill_supervisor(settings)
        assert _wait_for_generation(settings) == before + 2
    pipeline.wait_until_all_committed(PATIENCE_S)
    pipeline.assert_outputs_exact()
    assert len(slots.present(settings)) == 2


def test_a_paused_pipeline_leaves_its_input_until_it_is_resumed(
    ray_stack: Stack, pipeline: CountingPipeline
) -> None:
    settings = ray_stack.settings
    change_control(settings.kafka, NAME, paused=True)
    wait_until(lambda: slots.present(settings) == [], "the slots end", PATIENCE_S)
    for saved in pipeline.saved().values():
        assert saved.ledger is None or saved.ledger.snapshot_offset == saved.ledger.next_offset
    pipeline.feed(100)
    assert not pipeline.all_committed()
    change_control(settings.kafka, NAME, paused=False)
    pipeline.wait_until_all_committed(PATIENCE_S)
    pipeline.assert_outputs_exact()


def test_slots_of_another_deployment_are_replaced(
    ray_stack: Stack, pipeline: CountingPipeline
) -> None:
    before = slots.present(ray_stack.settings)
    changed = ray_stack.settings.model_copy(deep=True)
    changed.slot.turn_ms += 1
    supervisor.start(changed, PIPELINES)
    wait_until(lambda: _all_running(changed, before), "slots of the new deployment run", PATIENCE_S)
    pipeline.feed(100)
    pipeline.wait_until_all_committed(PATIENCE_S)
    pipeline.assert_outputs_exact()


def _all_running(settings: Settings, old: list[SlotName]) -> bool:
    present = slots.present(settings)
    found = slots.statuses(settings, present)
    return (
        len(present) == len(old)
        and not set(present) & set(old)
        and [status.phase for status in found.values()] == ["running"] * len(old)
    )
