"""The sensors that a pipeline knows, from the state it keeps of each."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from pipelines.errors import DataError
from pipelines.operators.sensor_state import KEY_PREFIX
from serve.kafka_view import Values

log = logging.getLogger(__name__)

Summary = dict[str, Any]
Summarize = Callable[[bytes, bytes], Summary]


class SensorDirectory:
    """Decodes each sensor's state once per change, and only when asked."""

    def __init__(self, summarize: Summarize) -> None:
        self._summarize = summarize
        self._known: dict[bytes, tuple[bytes, Summary]] = {}

    def sensors(self, values: Values) -> list[Summary]:
        """Return a summary of every sensor with its partition, in the order of their ids."""
        known: dict[bytes, tuple[bytes, Summary]] = {}
        for partition, records in values.items():
            known.update(self._partition(partition, records))
        self._known = known
        return sorted((each for _, each in known.values()), key=lambda each: each["sensor_id"])

    def _partition(
        self, partition: int, records: Mapping[bytes, bytes]
    ) -> dict[bytes, tuple[bytes, Summary]]:
        found: dict[bytes, tuple[bytes, Summary]] = {}
        for key, value in records.items():
            if not key.startswith(KEY_PREFIX):
                continue
            before = self._known.get(key)
            # A value that is the same object is the same record.
            if before is not None and before[0] is value:
                found[key] = before
                continue
            try:
                found[key] = value, {**self._summarize(key, value), "partition": partition}
            except DataError as error:
                log.warning("the state of %r cannot be read: %s", key, error)
        return found
