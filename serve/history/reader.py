"""What was recorded of a sensor: from the archive, and from Kafka what is not archived yet.

An offset of the partition divides the two, the archive's own mark: so each row is read once,
whatever the archive writes meanwhile, and a session that has just run is there to be replayed.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import pyarrow as pa

from pipelines.archive.object_store import ObjectStore
from pipelines.errors import UnavailableError
from pipelines.settings import HistorySettings, KafkaSettings
from pipelines.sinks.sink_offsets import Place
from serve.history.archived_rows import archived_rows
from serve.history.span import Budget, Span
from serve.history.tail_rows import tail_rows

ArchivedBelow = Callable[[Place], int | None]
Take = Callable[[pa.Table], None]


class Whole(NamedTuple):
    """Whether all that there is was read, and if not, what is missing and why."""

    complete: bool
    note: str | None


class HistoryReader:
    """Reads spans; each in a thread that calls it, several at once."""

    def __init__(
        self,
        kafka: KafkaSettings,
        settings: HistorySettings,
        store: ObjectStore,
        archived_below: ArchivedBelow,
    ) -> None:
        """``archived_below`` says of a partition how far the archive is."""
        self._kafka = kafka
        self._settings = settings
        self._store = store
        self._archived_below = archived_below

    def read(self, span: Span, take: Take) -> Whole:
        """Give ``take`` the rows of a span, in pieces and in no order.

        Raises:
            UnavailableError: the archive's store does not answer, or the time is up.
            DataError: more rows must be looked at than one answer may.
        """
        budget = Budget(self._settings.max_rows, self._settings.timeout_s)
        below: int | None = None
        known = False
        with suppress(UnavailableError):
            below = self._archived_below(span.place)
            known = True
        if not known:
            # Whatever files there are is right; what may be twice in Kafka is not looked for.
            for table in archived_rows(self._store, span, 2**63 - 1, budget):
                take(table)
            return Whole(False, "Kafka does not answer: what is not archived yet is missing")
        if below is not None:
            for table in archived_rows(self._store, span, below, budget):
                take(table)
        try:
            tail = tail_rows(self._kafka, span, below or 0, self._settings.max_tail_bytes, budget)
            for table in tail:
                take(table)
        except UnavailableError as error:
            return Whole(False, str(error))
        return Whole(True, None)
