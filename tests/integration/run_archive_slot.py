"""Runs a slot of the archive in this process, which kills itself at a step of writing if told to.

Usage: run_archive_slot.py GENERATION SLOT SLOTS [STEP]. Settings come from the environment.
"""

import os
import signal
import sys

from pipelines.archive.archive_run import ArchiveRun
from pipelines.settings import load_settings
from pipelines.sinks.sink_offsets import Mark, Place
from pipelines.slot_loop import SlotLoop
from tests.integration.archive_pipeline import identity

STEPS = (
    "before the intent",
    "after the intent",
    "before the first file",
    "after the first file",
    "after the second file",
    "before the end is committed",
    "after the end is committed",
)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DyingRun(ArchiveRun):
    """Dies at one step of the first range it writes."""

    step = ""

    def _commit(self, marks: dict[Place, Mark]) -> None:
        intent = any(mark.intent_end is not None for mark in marks.values())
        end = not intent and any(mark.counts != self._known(p) for p, mark in marks.items())
        if (intent and self.step == "before the intent") or (
            end and self.step == "before the end is committed"
        ):
            _die()
        super()._commit(marks)
        if (intent and self.step == "after the intent") or (
            end and self.step == "after the end is committed"
        ):
            _die()

    def _known(self, place: Place) -> dict[str, int]:
        return self._marks[place].counts

    def watch_files(self) -> None:
        put = self._store.put
        written = 0

        def dying_put(path: str, content: bytes) -> None:
            nonlocal written
            if self.step == "before the first file":
                _die()
            put(path, content)
            written += 1
            last = {1: "after the first file", 2: "after the second file"}.get(written)
            if self.step == last:
                _die()

        self._store.put = dying_put  # type: ignore[method-assign]


def main() -> None:
    generation, slot, slots = map(int, sys.argv[1:4])
    DyingRun.step = sys.argv[4] if len(sys.argv) > 4 else ""
    settings = load_settings()
    who = identity(generation, slot, slots)

    def new_run() -> DyingRun:
        run = DyingRun(settings, who)
        run.watch_files()
        return run

    SlotLoop(new_run, settings, who).run()


if __name__ == "__main__":
    main()
