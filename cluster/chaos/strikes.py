"""What is done to a running stack: kill a process, take a server away, move the slots.

Every strike returns how many seconds went by from the end of the fault until the pipeline that it
struck made progress again.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable

import psutil

from cluster.chaos.waiting import hold, wait_for
from cluster.local.processes import marked_processes
from cluster.local.ray_head import ray_environment
from cluster.local.settings_environment import child_environment, without_settings
from cluster.local.stack import Stack
from cluster.setup.paths import ROOT
from pipelines import pipeline_lag
from pipelines.control import change_control, read_control
from pipelines.errors import UnavailableError

Strike = Callable[[Stack], float]

BACK_AT_WORK_S = 60.0
_SERVE_COMMAND_S = 120.0


def processes(stack: Stack, title: str) -> list[psutil.Process]:
    """Return the processes that Ray titles ``ray::{title}...``."""
    record = stack.folder.record()
    if record is None:
        raise UnavailableError("the stack is not up")
    found = []
    for process in marked_processes(record.stack_id):
        with contextlib.suppress(psutil.Error):
            if any(part.startswith(f"ray::{title}") for part in process.cmdline()):
                found.append(process)
    return found


def progress(stack: Stack, pipeline: str) -> int:
    """Return how far a pipeline is, as the sum of its offsets."""
    return sum(pipeline_lag.next_offsets(stack.settings.kafka, pipeline).values())


def wait_until_it_works(stack: Stack, pipeline: str) -> float:
    """Wait until the pipeline has committed what it had not before; return the seconds."""
    before = progress(stack, pipeline)
    return wait_for(
        f"{pipeline} goes on", lambda: progress(stack, pipeline) > before, BACK_AT_WORK_S
    )


def kill(title: str, pipeline: str) -> Strike:
    """Return what sends SIGKILL to every process of that title."""

    def strike(stack: Stack) -> float:
        killed = processes(stack, title)
        if not killed:
            raise UnavailableError(f"no process ray::{title} runs")
        gone = {process.pid for process in killed}
        for process in killed:
            process.kill()
        back_s = wait_for(
            f"ray::{title} is back",
            lambda: bool({process.pid for process in processes(stack, title)} - gone),
        )
        return back_s + wait_until_it_works(stack, pipeline)

    return strike


def take_away(part: str, seconds: float, pipeline: str, *, killed: bool = False) -> Strike:
    """Return what stops a server and starts it again after ``seconds``.

    killed: by SIGKILL, else in good order
    """

    def strike(stack: Stack) -> float:
        if killed:
            stack.kill(part)
        stack.stop(part)
        hold(seconds)
        stack.start(part)
        return wait_until_it_works(stack, pipeline)

    return strike


def take_serve_away(seconds: float) -> Strike:
    """Return what deletes the inference application and deploys it again after ``seconds``."""

    def strike(stack: Stack) -> float:
        _serve(stack, "-m", "cluster.chaos.delete_inference")
        hold(seconds)
        _serve(stack, "-m", "serve")
        return wait_until_it_works(stack, "ml-inference")

    return strike


def _serve(stack: Stack, *arguments: str) -> None:
    environment = {
        **without_settings(dict(os.environ)),
        **child_environment(stack.settings, ROOT),
        **ray_environment(),
    }
    subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=_SERVE_COMMAND_S,
    )


def rescale(pipeline: str, slots: int) -> Strike:
    """Return what sets the number of slots and waits until they run."""

    def strike(stack: Stack) -> float:
        change_control(stack.settings.kafka, pipeline, slots=slots)
        moved_s = wait_for(
            f"{slots} slots of {pipeline} run",
            lambda: read_control(stack.settings.kafka).pipelines[pipeline].running_slots == slots,
        )
        return moved_s + wait_until_it_works(stack, pipeline)

    return strike
