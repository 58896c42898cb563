"""A session's windows, samples and predictions, put together from what a reader gives."""

from typing import Any

import numpy as np
import pyarrow as pa

from pipelines import topics
from serve.history.extremes import TIME, Extremes
from serve.history.reader import HistoryReader
from serve.history.shapes import PREDICTION_COLUMNS
from serve.history.span import Span
from serve.history.window_page import COLUMNS, WindowPages

_MODEL = ("model_name", "model_version", "model_sha256")


class Replay:
    """Answers about one sensor's span of time; in threads, for each takes its time.

    Every method raises UnavailableError and DataError as :meth:`HistoryReader.read` does.
    """

    def __init__(self, reader: HistoryReader) -> None:
        self._reader = reader

    def windows(self, sensor_id: str, from_us: int, to_us: int, pages: WindowPages) -> Any:
        """Return a page of the windows that started in the span."""
        begin_us = from_us if pages.from_us is None else max(from_us, pages.from_us)
        span = Span(topics.AGGREGATED, sensor_id, begin_us, to_us, COLUMNS)
        whole = self._reader.read(span, pages.add)
        return {**pages.page()._asdict(), **whole._asdict()}

    def samples(self, sensor_id: str, thinned: Extremes, span_us: tuple[int, int]) -> Any:
        """Return samples of a span; ``thinned`` names the columns and how many."""
        columns = (TIME, *thinned.columns)
        span = Span(topics.TRANSFORMED, sensor_id, *span_us, columns)

        def take(piece: pa.Table) -> None:
            thinned.add({name: piece[name].to_numpy() for name in columns})

        whole = self._reader.read(span, take)
        return {**_thinned(thinned), **whole._asdict()}

    def predictions(self, sensor_id: str, points: int, span_us: tuple[int, int]) -> Any:
        """Return predictions of a span, and the models that made them."""
        thinned = Extremes(PREDICTION_COLUMNS, *span_us, points)
        columns = (TIME, *PREDICTION_COLUMNS, *_MODEL)
        span = Span(topics.PREDICTIONS, sensor_id, *span_us, columns)
        last_us: dict[tuple[str, ...], int] = {}

        def take(piece: pa.Table) -> None:
            thinned.add({name: piece[name].to_numpy() for name in (TIME, *PREDICTION_COLUMNS)})
            for model, at_us in _models(piece):
                last_us[model] = max(at_us, last_us.get(model, at_us))

        whole = self._reader.read(span, take)
        models = [
            dict(zip(("name", "version", "sha256"), model, strict=True))
            for model in sorted(last_us, key=lambda model: last_us[model])
        ]
        answer = {**_thinned(thinned), **whole._asdict(), "models": models}
        return {**answer, "model": models[-1] if models else None}


def _thinned(thinned: Extremes) -> dict[str, Any]:
    columns = thinned.picked()
    return {
        "columns": {name: np.ascontiguousarray(column) for name, column in columns.items()},
        "rows_total": thinned.total,
        "method": thinned.method,
    }


def _models(piece: pa.Table) -> list[tuple[tuple[str, ...], int]]:
    """Return the models that made these predictions, each with the time of its last."""
    plain = pa.table({name: piece[name].cast(pa.string()) for name in _MODEL} | {TIME: piece[TIME]})
    last = plain.group_by(list(_MODEL)).aggregate([(TIME, "max")])
    return [(tuple(row[name] for name in _MODEL), row[f"{TIME}_max"]) for row in last.to_pylist()]
