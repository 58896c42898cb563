"""Make what runs into what pipeline-control asks for, again and again.

A rescale writes generation g+1 with its number of slots first. From then on a slot of g that starts
gives way by itself; one that still runs is stopped, and every transactional id of g is fenced
before the slots of g+1 start. Killed at any point, the next supervisor finds g+1 in the record,
fences g once more and goes on from there. The supervisor writes under a transactional id of its
own, so that one it replaced can write no more.
"""

import logging
import time
from collections.abc import Mapping

import msgspec

from actors import slots
from actors.processor import RunFactory
from actors.slot_names import needs_new_generation, next_generation, plan
from pipelines.control import HEADERS, Control, ControlFollower, ControlState, clear_alarm
from pipelines.errors import FencedError, ImustreamError
from pipelines.owned_partition import SlotIdentity, transactional_id
from pipelines.settings import Settings
from pipelines.slot_loop import backoff_s
from pipelines.topics import CONTROL
from pipelines.transaction import Transactions

_LOGGER = logging.getLogger("imustream.supervisor")

TRANSACTIONAL_ID = "imustream.supervisor"
POLL_S = 0.25
STATUS_EVERY_S = 2.0


class SupervisorLoop:
    """Runs until a newer supervisor fences it."""

    def __init__(
        self,
        settings: Settings,
        pipelines: Mapping[str, RunFactory],
        code_version: str,
        deployment: str,
    ) -> None:
        """``deployment`` names this code with these settings: slots of another are replaced."""
        self._settings = settings
        self._pipelines = pipelines
        self._code_version = code_version
        self._deployment = deployment
        self._transactions: Transactions | None = None
        self._statuses_due_s = 0.0
        self.detail = "starting"

    def run(self) -> None:
        """Reconcile for ever; after a failure start anew; end only when fenced."""
        failures = 0
        while True:
            started_s = time.monotonic()
            try:
                self._follow()
            except FencedError as error:
                self.detail = str(error)
                _LOGGER.warning("a newer supervisor runs: %s", error)
                return
            except ImustreamError as error:
                self.detail = str(error)
                _LOGGER.warning("the supervisor starts anew: %s", error)
            except Exception as error:  # a fault of ours must not end the process: name it, go on
                self.detail = repr(error)
                _LOGGER.exception("the supervisor failed")
            failures = 0 if time.monotonic() - started_s > 2 * backoff_s(16) else failures + 1
            time.sleep(backoff_s(failures))

    def _follow(self) -> None:
        timeout_s = self._settings.slot.transaction_timeout_s
        self._transactions = Transactions(self._settings.kafka, TRANSACTIONAL_ID, timeout_s)
        self._transactions.open()
        follower = ControlFollower(self._settings.kafka)
        try:
            for record in follower.state.pipelines.values():
                if record.pipeline in self._pipelines:
                    self._fence(record.pipeline, record.generation - 1, record.previous_slots)
            state = follower.state
            while True:
                for pipeline in self._pipelines:
                    self._reconcile(pipeline, state)
                self._replace_fenced()
                self.detail = ""
                state = follower.poll(POLL_S)
        finally:
            follower.close()
            self._transactions.close()

    def _reconcile(self, pipeline: str, state: ControlState) -> None:
        record = state.pipelines.get(pipeline) or Control(
            pipeline, slots=self._settings.slot.slots, generation=0, paused=False
        )
        if needs_new_generation(record):
            record = self._start_generation(record, state)
        elif pipeline in state.crossed:
            self._write(record)
        todo = plan(record, self._deployment, slots.present(self._settings))
        if todo.stop:
            for name in todo.stop:
                _LOGGER.info("stopping a slot", extra=name._asdict())
            slots.stop(self._settings, todo.stop)
        for name in todo.start:
            _LOGGER.info("starting a slot", extra=name._asdict())
            identity = SlotIdentity(
                pipeline, record.generation, name.slot, record.running_slots, self._code_version
            )
            slots.start(self._settings, name, self._pipelines[pipeline], identity)

    def _start_generation(self, before: Control, state: ControlState) -> Control:
        """Record the next generation, and see that none of the one before commits any more."""
        after = next_generation(before)
        _LOGGER.info(
            "generation %d with %d slots follows %d with %d",
            after.generation,
            after.running_slots,
            before.generation,
            before.running_slots,
            extra={"pipeline": after.pipeline, "generation": after.generation},
        )
        self._write(after)
        old = [name for name in slots.present(self._settings) if name.pipeline == after.pipeline]
        slots.stop(self._settings, [name for name in old if name.generation < after.generation])
        self._fence(after.pipeline, before.generation, before.running_slots)
        for (pipeline, _), alarm in state.alarms.items():
            if pipeline == after.pipeline:
                clear_alarm(self._settings.kafka, alarm)
        return after

    def _fence(self, pipeline: str, generation: int, slot_count: int) -> None:
        for slot in range(slot_count):
            fencing = Transactions(
                self._settings.kafka,
                transactional_id(pipeline, generation, slot),
                self._settings.slot.transaction_timeout_s,
            )
            fencing.open()
            fencing.close()

    def _write(self, record: Control) -> None:
        if self._transactions is None:
            raise FencedError("this supervisor is not open")
        self._transactions.begin()
        value = msgspec.json.encode(record)
        self._transactions.produce(CONTROL, 0, record.key, value, HEADERS)
        self._transactions.commit()

    def _replace_fenced(self) -> None:
        """End slots that were fenced though they are the ones wanted; they are started anew.

        The coordinator fences a slot whose transaction took longer than its timeout.
        """
        if time.monotonic() < self._statuses_due_s:
            return
        self._statuses_due_s = time.monotonic() + STATUS_EVERY_S
        names = [n for n in slots.present(self._settings) if n.version == self._deployment]
        found = slots.statuses(self._settings, names)
        slots.stop(self._settings, [n for n, status in found.items() if status.phase == "fenced"])
