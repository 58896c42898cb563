"""The slots as Ray has them: which actors there are, start one, stop some."""

from collections.abc import Iterable

import ray

from actors.detached import find_detached, start_detached
from actors.processor import STOP_TIMEOUT_S, RunFactory, processor_class
from actors.slot_names import SlotName, parse
from pipelines.owned_partition import SlotIdentity
from pipelines.settings import Settings
from pipelines.slot_loop import SlotStatus

_ANSWER_S = 2.0


def present(settings: Settings) -> list[SlotName]:
    """Return the slots that live or are being restarted."""
    actors = ray.util.list_named_actors(all_namespaces=True)
    names = [actor["name"] for actor in actors if actor["namespace"] == settings.ray.namespace]
    return [slot for slot in map(parse, names) if slot is not None]


def start(settings: Settings, name: SlotName, make_run: RunFactory, identity: SlotIdentity) -> None:
    """Start a slot's actor; Ray restarts its process from now on."""
    start_detached(
        settings,
        str(name),
        processor_class(name.pipeline),
        make_run,
        settings,
        identity,
        num_cpus=settings.slot.cpus,
    )


def stop(settings: Settings, names: Iterable[SlotName]) -> None:
    """Let slots finish their transactions together, then end their actors for good."""
    found = [find_detached(settings, str(name)) for name in names]
    handles = [handle for handle in found if handle is not None]
    answers = [handle.stop.remote() for handle in handles]
    if answers:
        # One that hangs is ended without: its transaction is aborted by its successor.
        ray.wait(answers, num_returns=len(answers), timeout=STOP_TIMEOUT_S + _ANSWER_S)
    for handle in handles:
        ray.kill(handle, no_restart=True)


def statuses(settings: Settings, names: Iterable[SlotName]) -> dict[SlotName, SlotStatus]:
    """Return how the slots are that answer at once; one being restarted does not."""
    asked = {
        handle.status.remote(): name
        for name in names
        if (handle := find_detached(settings, str(name))) is not None
    }
    found: dict[SlotName, SlotStatus] = {}
    if not asked:
        return found
    ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=_ANSWER_S)
    for reference in ready:
        try:
            found[asked[reference]] = ray.get(reference)
        except ray.exceptions.RayError:
            continue
    return found
