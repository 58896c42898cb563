"""session_aggregation: windows to sessions. sensor-data-aggregated -> new-session-topic.

The rules, for each sensor by itself:

- Motion windows alone decide. One joins the kept session it is nearest to, if that is no further
  from its span than the gap (of two equally near, the one that starts earlier); otherwise it
  starts a new session. No two sessions ever merge, and a device in 1970 just has other sessions.
- At most one session of a sensor is open. One that starts or reopens closes the other,
  ``closed_by: gap``. ``silence_ticks`` ticks without a motion window close it,
  ``closed_by: silence``. A window that joins a closed session reopens it.
- The id is ``{sensor_id}_{start_us}`` of the first window seen, whatever joins later.
- A velocity window belongs to the session whose span [start_us, end_us) holds its start (of
  several, the one that starts earlier). One that has none yet waits ``WAITING_TICKS`` ticks for
  it, the ``pending_windows`` newest of a sensor; then it counts as ``velocity_unmatched``.
- Events: ``started``, ``closed`` and ``reopened`` as it happens; ``updated`` (of an open session)
  and ``amended`` (of a closed one) at a tick, if it changed and its last event is ``update_ticks``
  ticks or more ago. Each counts the session's ``revision`` up by one, from 1.
- A session closed for ``amend_ticks`` ticks is dropped, and the one closed first when there are
  more than ``kept_sessions``; what is not told of it yet is told first.
- What is no window goes to the dead letters, reason ``not_a_window``.

Ledger: records = ticks + windows + dead_letters, windows = motion_windows + velocity_windows.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from pipelines import topics
from pipelines.dead_letters import dead_letter
from pipelines.errors import DataError
from pipelines.frame_scanner import DeadSpan
from pipelines.operators import session_state
from pipelines.operators.operator import PartitionByPartition
from pipelines.operators.session_state import PartitionSessions
from pipelines.operators.session_step import Rules, SessionStep
from pipelines.operators.session_windows import NOT_A_WINDOW, MotionWindow, read_window
from pipelines.records import Headers, InputBatch, Output
from pipelines.settings import SessionSettings
from pipelines.ticks import decode_tick

_TICK: Final[Headers] = [(topics.CONTENT_TYPE, topics.TICK_TYPE.encode())]


class SessionAggregation(PartitionByPartition[PartitionSessions]):
    """The operator of the second pipeline; see :mod:`pipelines.operators.operator`."""

    name = "session-aggregation"
    input_topic = topics.AGGREGATED
    changelog_topic = topics.SESSION_AGGREGATION_CHANGELOG

    def __init__(self, settings: SessionSettings, code_version: str = "") -> None:
        self._rules = Rules.of(settings)
        self._code_version = code_version.encode()
        # Each of them decides how many events there are, and so their revisions.
        self.rules = " ".join(f"{name}={value:g}" for name, value in settings)

    def new_state(self, partition: int) -> PartitionSessions:
        """Return the state before the first record."""
        return PartitionSessions(partition)

    def restore(
        self, partition: int, records: Iterable[tuple[bytes, bytes]], counts: Mapping[str, int]
    ) -> PartitionSessions:
        """Return the state that `changes` wrote as ``records`` when `counts` were ``counts``."""
        state = session_state.restore(partition, records, counts)
        step = SessionStep(self._rules, state)
        for key, sensor in state.sensors.items():
            step.schedule(key, sensor)
        return state

    def changes(self, state: PartitionSessions) -> list[tuple[bytes, bytes | None]]:
        """Return the sensors changed since the last call."""
        return state.take_changes()

    def counts(self, state: PartitionSessions) -> dict[str, int]:
        """Return the ledger's cumulative counts."""
        return dict(state.counts)

    def step(self, state: PartitionSessions, batch: InputBatch) -> list[Output]:
        """Take in a batch and return the sessions' events, dead letters and ticks."""
        step = SessionStep(self._rules, state)
        for row, (key, value) in enumerate(zip(batch.keys, batch.values, strict=True)):
            state.counts["records"] += 1
            offset = int(batch.offsets[row])
            try:
                if key is None:
                    decode_tick(value)
                    step.tick(offset)
                    step.outputs.append(Output(topics.SESSIONS, None, value, _TICK))
                    continue
                window = read_window(key, value)
            except DataError as error:
                state.counts["dead_letters"] += 1
                letter = self._dead_letter(state.partition, batch, row, str(error))
                step.outputs.append(letter)
                continue
            state.counts["windows"] += 1
            if isinstance(window, MotionWindow):
                step.motion(key, window, offset)
            else:
                step.velocity(key, window, offset)
        return step.outputs

    def _dead_letter(self, partition: int, batch: InputBatch, row: int, detail: str) -> Output:
        value = batch.values[row]
        return dead_letter(
            DeadSpan(0, len(value), NOT_A_WINDOW, detail),
            pipeline=self.name,
            code_version=self._code_version,
            key=batch.keys[row],
            payload=value,
            source=f"{self.input_topic}/{partition}/{batch.offsets[row]}",
            failed_us=int(batch.received_us[row]),
        )
