"""Kinds of metrics that a process of ours keeps: each is made when it is first used.

They are prometheus_client's, in its mode for several processes: each process writes its values into
files of its own in the folder that ``PROMETHEUS_MULTIPROC_DIR`` names, and one exporter beside them
(:mod:`cluster.monitoring.exporter`) reads them all. A process that is started without the variable
keeps nothing: nobody would read it, and it costs nothing.
"""

import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, Generic, Literal, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import prometheus_client

    from pipelines.batch_histogram import BatchHistogram

log = logging.getLogger(__name__)

FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"


def _has_folder() -> bool:
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
        return False
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        # The stream goes on: nobody must lose samples because nobody can count them.
        log.warning("%s cannot be made (%s): no metrics are kept", folder, error)
        return False
    return True


KEPT: Final = _has_folder()
"""Whether this process keeps metrics."""

Together = Literal["livesum", "livemax", "max"]
"""What the values of several processes come to; those of dead ones count only for ``max``."""

Made = TypeVar("Made", bound="prometheus_client.metrics.MetricWrapperBase")


class Metric(ABC, Generic[Made]):
    """A metric's description; ``labels`` are named in the order in which values are given."""

    def __init__(self, name: str, help_text: str, *labels: str) -> None:
        self.name = name
        self.help = help_text
        self.labels = labels
        self._known: dict[tuple[object, ...], Made] = {}

    @abstractmethod
    def _make(self) -> Made:
        """Return prometheus_client's metric; there may be one of a name in a process."""

    @cached_property
    def _made(self) -> Made:
        return self._make()

    def _of(self, values: tuple[object, ...]) -> Made:
        """Return what is kept under these label values; prometheus_client takes long to find it."""
        known = self._known.get(values)
        if known is None:
            known = self._made.labels(*values) if values else self._made
            self._known[values] = known
        return known


class Counter(Metric["prometheus_client.Counter"]):
    """What only rises; over all processes the sum, dead ones included."""

    def add(self, amount: float, *values: object) -> None:
        """Add to the count of these label values."""
        if KEPT:
            self._of(values).inc(amount)

    def _make(self) -> "prometheus_client.Counter":
        import prometheus_client  # noqa: PLC0415  # it opens files where the variable is set

        return prometheus_client.Counter(self.name, self.help, self.labels)


class Gauge(Metric["prometheus_client.Gauge"]):
    """What rises and falls."""

    def __init__(self, name: str, help_text: str, *labels: str, together: Together) -> None:
        super().__init__(name, help_text, *labels)
        self._together = together

    def set(self, value: float, *values: object) -> None:
        """Set the value of these label values."""
        if KEPT:
            self._of(values).set(value)

    def _make(self) -> "prometheus_client.Gauge":
        import prometheus_client  # noqa: PLC0415

        return prometheus_client.Gauge(
            self.name, self.help, self.labels, multiprocess_mode=self._together
        )


class Histogram(Metric["BatchHistogram"]):
    """How values are spread: how many lie below each of ``buckets``."""

    def __init__(self, name: str, help_text: str, *labels: str, buckets: Sequence[float]) -> None:
        super().__init__(name, help_text, *labels)
        self.buckets = tuple(buckets)

    def observe(self, value: float, *values: object) -> None:
        """Take in one value."""
        if KEPT:
            self._of(values).observe(value)

    def observe_all(self, observed: npt.NDArray[np.floating], *values: object) -> None:
        """Take in ``(n,)`` values at the cost of about one."""
        if KEPT and len(observed):
            self._of(values).observe_all(observed)

    def _make(self) -> "BatchHistogram":
        from pipelines.batch_histogram import BatchHistogram  # noqa: PLC0415

        return BatchHistogram(self.name, self.help, self.labels, buckets=self.buckets)


class Book(NamedTuple):
    """A metric that no process keeps: the exporter reads it where it stands, at each scrape."""

    name: str
    help: str
    labels: tuple[str, ...] = ()

    @property
    def is_counter(self) -> bool:
        """Whether it only rises."""
        return self.name.endswith("_total")
