"""Run the work items with Ray Data: one task for each partition, on a cluster or in this process.

A partition's records form one sequence, so partitions are what runs in parallel. Ray runs a task
again whose worker died; it goes on from the partition's manifest.
"""

import logging
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any, Final

import ray
import ray.data

from pipelines.backfill.partition_run import PartitionRun, run_partition
from pipelines.backfill.replay import Saved
from pipelines.errors import ImustreamError, UnavailableError
from pipelines.settings import RaySettings, Settings

_LOOK_S: Final = 0.5
_ANSWER_WAIT_S: Final = 5.0
_LOCAL: Final = "local"
_QUIET: Final[dict[str, Any]] = {"log_to_driver": False, "logging_level": logging.ERROR}
_OBJECT_STORE_BYTES: Final = 128 * 1024 * 1024
"""Enough: nothing but how far each partition is goes through it."""

_LOG: Final = logging.getLogger(__name__)

Show = Callable[[dict[int, Saved]], None]
"""Told how far each partition is."""


def run_all(items: Sequence[PartitionRun], settings: Settings, parallel: int, show: Show) -> None:
    """Replay all partitions, ``parallel`` at once (0: as there are CPUs).

    Raises:
        ImustreamError: one could not be replayed; what the others have done is kept.
    """
    with _connected(settings.ray):
        board: Any = ray.remote(num_cpus=0)(_Board).remote()
        failures = _run_shown(items, settings, parallel, board, show)
    if failures:
        raise UnavailableError("; ".join(failures))


def _run_shown(
    items: Sequence[PartitionRun], settings: Settings, parallel: int, board: Any, show: Show
) -> list[str]:
    by_partition = {item.plan.partition: item for item in items}

    def replay(row: dict[str, Any]) -> dict[str, Any]:
        partition = int(row["partition"])
        try:
            for saved in run_partition(by_partition[partition], settings):
                board.note.remote(partition, _without_state(saved))
        except ImustreamError as error:
            return {"partition": partition, "failure": str(error)}
        return {"partition": partition, "failure": ""}

    rows = [{"partition": partition} for partition in by_partition]
    dataset = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
        replay,
        num_cpus=1,
        compute=ray.data.TaskPoolStrategy(size=parallel or _real_cpus()),
    )
    outcome: list[Any] = []

    def execute() -> None:
        try:
            outcome.append(dataset.take_all())
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=execute, name="backfill", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_LOOK_S)
        show(ray.get(board.read.remote()))
    found = outcome[0]
    if isinstance(found, Exception):
        raise found
    return [row["failure"] for row in found if row["failure"]]


def _real_cpus() -> int | None:
    """Return the CPUs of this machine if Ray has no other, as Ray may have been told of more."""
    nodes: list[Any] = ray.nodes()  # type: ignore[no-untyped-call]
    return os.cpu_count() if len(nodes) == 1 else None


def _without_state(saved: Saved) -> Saved:
    return Saved(saved.next_offset, saved.done, saved.records, saved.rows, None, {}, {})


class _Board:
    """How far each partition is, as its task said last."""

    def __init__(self) -> None:
        self._saved: dict[int, Saved] = {}

    def note(self, partition: int, saved: Saved) -> None:
        self._saved[partition] = saved

    def read(self) -> dict[int, Saved]:
        return self._saved


@contextmanager
def _connected(settings: RaySettings) -> Iterator[None]:
    """Join the Ray cluster that runs, or start one in this process for as long as it takes."""
    # Ray tells of its workers on standard output, where our result is to stand alone.
    with redirect_stdout(sys.stderr):
        _connect(settings)
        try:
            yield
        finally:
            ray.shutdown()


def _connect(settings: RaySettings) -> None:
    if not _joined(settings):
        ray.init(
            address=_LOCAL,
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE_BYTES,
            _node_ip_address="127.0.0.1",
            **_QUIET,
        )
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)


def _joined(settings: RaySettings) -> bool:
    if settings.address == _LOCAL:
        return False
    try:
        if not answers(settings.address):
            raise ConnectionError
        ray.init(address=settings.address, namespace=settings.namespace, **_QUIET)
    except (ConnectionError, RuntimeError, ValueError):
        _LOG.warning("no Ray cluster at %s: one is started for this run", settings.address)
        return False
    return True


def answers(address: str) -> bool:
    """Say whether something listens at ``host:port``; Ray itself would wait for two minutes.

    Of an address of another form, such as ``auto``, only Ray can tell.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        return True
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER_WAIT_S).close()
    except OSError:
        return False
    return True
