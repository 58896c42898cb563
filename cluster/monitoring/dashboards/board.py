"""What a dashboard shows, free of Grafana: rows of panels, each with its PromQL. Pure."""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

RATE: Final = "$__rate_interval"
"""Grafana's own: four scrapes at least, more where a pixel stands for more."""

Unit = Literal[
    "short", "s", "bytes", "Bps", "percentunit", "cps", "reqps", "none", "dateTimeFromNow"
]
"""As Grafana names them; cps is a count a second."""


class Query(NamedTuple):
    """One query; ``legend`` names its series, with labels as in ``{{pipeline}}``."""

    expr: str
    legend: str = ""


class Panel(NamedTuple):
    """One panel.

    kind:   graph: lines over time; number: the latest value alone; table: a line a series
    about:  what one sees and what would be wrong, in words
    width:  of 24
    worry:  a value from which on it is shown in red
    stack:  whether lines stand on one another
    """

    title: str
    about: str
    queries: tuple[Query, ...]
    unit: Unit = "short"
    kind: Literal["graph", "number", "table"] = "graph"
    width: int = 8
    worry: float | None = None
    stack: bool = False


class Row(NamedTuple):
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


class Board(NamedTuple):
    """One dashboard; ``uid`` is its name in addresses and of its file.

    variables: labels of which a value can be chosen, each with the metric that has it
    """

    uid: str
    title: str
    about: str
    rows: tuple[Row, ...]
    variables: tuple[tuple[str, str], ...] = ()

    def panels(self) -> Iterator[Panel]:
        """Yield its panels."""
        for row in self.rows:
            yield from row.panels


def or_none(expr: str) -> str:
    """Return a query that gives 0 where nothing of the kind has ever happened."""
    return f"{expr} or on() vector(0)"
