"""Keep a slot running: start the next run after a failure, stop for good where that is due."""

import logging
import os
import threading
import time
from typing import Literal

import msgspec

from pipelines import metrics
from pipelines.control import Alarm, ControlState, clear_alarm, write_record
from pipelines.errors import (
    FencedError,
    ImustreamError,
    PipelineStoppedError,
    StoreAwayError,
    TransactionAbortedError,
    UnavailableError,
)
from pipelines.owned_partition import SlotIdentity
from pipelines.settings import Settings
from pipelines.slot_run import NewRun, SlotRun

_LOGGER = logging.getLogger("imustream.slot")

FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 5.0

Phase = Literal["starting", "running", "retrying", "stopped", "fenced", "ended"]
"""stopped: an operator must decide; fenced: a newer instance runs; ended: asked to stop."""


class SlotStatus(msgspec.Struct):
    """How a slot is; times in microseconds since the epoch, counts since this process started."""

    pipeline: str
    generation: int
    slot: int
    slots: int
    code_version: str
    pid: int
    phase: Phase = "starting"
    detail: str = ""
    runs: int = 0
    records: int = 0
    last_commit_us: int = 0


def backoff_s(failures: int) -> float:
    """Return how long to wait before the next run after ``failures`` runs without a commit."""
    return min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** min(failures, 16))


class SlotLoop:
    """Runs a slot until :meth:`stop`, or until it is fenced or the pipeline stops itself."""

    def __init__(self, new_run: NewRun, settings: Settings, identity: SlotIdentity) -> None:
        """Prepare; :meth:`run` does the work."""
        self._new_run = new_run
        self._settings = settings
        self._identity = identity
        self._stopping = threading.Event()
        self._failures = 0
        self._alarm: Alarm | None = None
        self.status = SlotStatus(**identity._asdict(), pid=os.getpid())

    def stop(self) -> None:
        """Ask :meth:`run` to end after its present transaction."""
        self._stopping.set()

    def run(self) -> None:
        """Run, and run again after each failure, until a reason to end."""
        while not self._stopping.is_set():
            try:
                self._run_once()
            except FencedError as error:
                self._become("fenced", str(error))
                return
            except PipelineStoppedError as error:
                self._raise_alarm(str(error))
                self._become("stopped", str(error))
                return
            except StoreAwayError as error:
                self._raise_alarm(str(error))
                self._become("retrying", str(error))
            except (TransactionAbortedError, UnavailableError) as error:
                self._become("retrying", str(error))
            except ImustreamError as error:
                self._raise_alarm(str(error))
                self._become("retrying", str(error))
            except Exception as error:  # a fault of ours must not end the process: name it, go on
                _LOGGER.exception("the slot failed", extra=self._about())
                self._raise_alarm(f"fault in the code: {error!r}; see the slot's log")
                self._become("retrying", repr(error))
            self._stopping.wait(backoff_s(self._failures))
            self._failures += 1
        self._become("ended", "")

    def _run_once(self) -> None:
        self.status.runs += 1
        metrics.SLOT_STARTS.add(1, self._identity.pipeline)
        slot = self._new_run()
        try:
            control = slot.open()
            self._become("running", "")
            self._turn_until_stopped(slot, control)
        finally:
            slot.close()

    def _turn_until_stopped(self, slot: SlotRun, control: ControlState) -> None:
        wait_s = slot.turn_s
        cleared = False
        while not self._stopping.is_set():
            records = slot.turn(wait_s)
            # A full turn means a backlog: take the next at once.
            wait_s = 0.0 if records >= self._settings.slot.max_records else slot.turn_s
            self.status.records += records
            if slot.commits == 0:
                continue
            self._failures = 0
            self.status.last_commit_us = slot.last_commit_us
            if not cleared:
                cleared = self._clear_alarm(control)
        slot.finish()

    def _become(self, phase: Phase, detail: str) -> None:
        if phase in ("stopped", "retrying"):
            metrics.COMMIT_FAILURES.add(1, self._identity.pipeline)
        if (phase, detail) != (self.status.phase, self.status.detail):
            level = logging.WARNING if phase in ("stopped", "retrying") else logging.INFO
            words = f"the slot is {phase}: {detail}" if detail else f"the slot is {phase}"
            _LOGGER.log(level, "%s", words, extra=self._about() | {"phase": phase})
        self.status.phase, self.status.detail = phase, detail

    def _raise_alarm(self, message: str) -> None:
        identity = self._identity
        if self._alarm is not None and self._alarm.message == message:
            return
        alarm = Alarm(
            identity.pipeline, identity.slot, identity.generation, message, time.time_ns() // 1000
        )
        try:
            write_record(self._settings.kafka, alarm)
            self._alarm = alarm
        except UnavailableError as error:
            words = "the slot's alarm could not be written: %s"
            _LOGGER.warning(words, error, extra=self._about())

    def _about(self) -> dict[str, object]:
        """Return what a line of the log is about."""
        identity = self._identity
        return {
            "pipeline": identity.pipeline,
            "slot": identity.slot,
            "generation": identity.generation,
        }

    def _clear_alarm(self, control: ControlState) -> bool:
        """Take back the alarm of an earlier run, now that a turn went well."""
        alarm = self._alarm or control.alarms.get((self._identity.pipeline, self._identity.slot))
        if alarm is not None:
            clear_alarm(self._settings.kafka, alarm)
            self._alarm = None
        return True
