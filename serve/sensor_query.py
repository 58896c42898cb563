"""Which sensors are asked for, page by page in the order of their ids. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple

from serve import cursors

State = Literal["live", "silent"]
MOST_A_PAGE = 5_000
A_PAGE = 1_000

Labels = Mapping[str, str]
Summary = Mapping[str, Any]
MaySee = Callable[[str], bool]


class SensorQuery(NamedTuple):
    """``q``: a text that the id, or a label as ``key=value``, holds; letters' case is no matter."""

    q: str | None = None
    state: State | None = None
    limit: int = A_PAGE
    cursor: str | None = None


class SensorPage(NamedTuple):
    """Some sensors with their labels; ``next_cursor`` leads on, None at the end."""

    sensors: list[dict[str, Any]]
    next_cursor: str | None


def page_of(
    sensors: Iterable[Summary],
    labels: Mapping[str, Labels],
    query: SensorQuery,
    may_see: MaySee,
) -> SensorPage:
    """Return the page of a query.

    Args:
        sensors: all there are, in the order of their ids.
        labels: of each sensor that has any.
        query: what is asked for.
        may_see: whether a sensor is one for whoever asks.

    Raises:
        DataError: the query's cursor is not one of ours.
    """
    after = None if query.cursor is None else str(cursors.decode(query.cursor, (str,))[0])
    text = query.q.casefold() if query.q else ""
    found: list[dict[str, Any]] = []
    for sensor in sensors:
        sensor_id = sensor["sensor_id"]
        if after is not None and sensor_id <= after:
            continue
        if query.state is not None and sensor["state"] != query.state:
            continue
        its_labels = labels.get(sensor_id, {})
        if not may_see(sensor_id) or not (text == "" or _holds(sensor_id, its_labels, text)):
            continue
        if len(found) == query.limit:
            return SensorPage(found, cursors.encode([found[-1]["sensor_id"]]))
        found.append({**sensor, "labels": dict(its_labels)})
    return SensorPage(found, None)


def _holds(sensor_id: str, labels: Labels, text: str) -> bool:
    if text in sensor_id.casefold():
        return True
    return any(text in f"{key}={value}".casefold() for key, value in labels.items())
