"""Which sensors a backfill is for; ticks always count, since silence is counted in them."""

from fnmatch import fnmatchcase
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

_GLOB = frozenset("*?[")


class SensorChoice(NamedTuple):
    """Ids or globs (``*``, ``?``, ``[...]``); empty: every sensor."""

    patterns: tuple[str, ...] = ()

    def includes(self, sensor_id: str) -> bool:
        """Say whether a sensor is chosen."""
        return not self.patterns or any(fnmatchcase(sensor_id, p) for p in self.patterns)

    def pushdown(self) -> pc.Expression | None:
        """Return what a Parquet reader can leave rows out by; None where it must read all.

        Rows are sorted by sensor, so whole row groups are left out by their statistics.
        """
        if not self.patterns or any(_GLOB & set(pattern) for pattern in self.patterns):
            return None
        column = pc.field("sensor_id")
        return column.isin(list(self.patterns)) | column.is_null()

    def rows(self, table: pa.Table) -> pa.Table:
        """Return the rows of the chosen sensors and the ticks, whose sensor_id is null."""
        if not self.patterns:
            return table
        found = pc.unique(table["sensor_id"]).drop_null().to_pylist()
        chosen = pa.array([sensor for sensor in found if self.includes(sensor)], pa.string())
        column = table["sensor_id"]
        return table.filter(pc.or_(pc.is_in(column, value_set=chosen), pc.is_null(column)))


def parse_choice(text: str | None) -> SensorChoice:
    """Read ``--sensors a,b*``."""
    patterns = () if text is None else tuple(p.strip() for p in text.split(",") if p.strip())
    return SensorChoice(tuple(sorted(set(patterns))))
