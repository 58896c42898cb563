"""Compare the published windows with those computed from the rows."""

from typing import Any

from pipelines.verify.boots import Boot, Rules, Sensor
from pipelines.verify.result import Difference, Kind, PartitionRow
from pipelines.verify.transformed_rows import Rows
from pipelines.verify.windows import Window, WindowKey, add_rows, faults


class WindowCheck:
    """The windows of one partition that rows have opened and nothing has closed yet."""

    def __init__(self, row: PartitionRow, rules: Rules, ids: list[str]) -> None:
        self._row = row
        self._rules = rules
        self._ids = ids
        self._open: dict[WindowKey, Window] = {}

    def add(self, rows: Rows) -> None:
        """Add rows to their windows; late ones are in none."""
        add_rows(self._open, rows.take(~rows.columns["late"].astype(bool)), self._rules.window_us)

    def compare(
        self, own_offset: int, published: dict[str, Any], number: int, sensor: Sensor
    ) -> None:
        """Compare a published window, and close it."""
        self._row.windows += 1
        boot = sensor.boots.get(published["boot"])
        window = self._open.pop((number, published["boot"], published["start_us"]), None)
        where = (own_offset, published["sensor_id"], published["boot"])
        if boot is None or window is None:
            self._unknown_window(published, boot, where)
            return
        known = boot.last_closed_sample
        first_of_boot = known is None
        if known is None or known >= window.first_sample:
            known = window.first_sample - 1
        gaps = window.last_sample - known - window.acc.count
        found = faults(window, published, gaps, self._rules.window_us)
        if not self._take_late(boot, published):
            found.append("late")
        boot.last_closed_sample = max(known, window.last_sample)
        boot.closed_end_us = max(boot.closed_end_us, published["end_us"])
        if self._row.first_offset:
            if self._may_have_earlier_rows(boot, published["start_us"]):
                self._row.unknown += 1
                return
            if first_of_boot:
                found = [name for name in found if name not in ("gaps", "late")]
        if found:
            what = f"the window from {published['start_us']} us differs in {', '.join(found)}"
            self._add("wrong", what, *where, window.first_sample)

    def finish(self, sensors: list[Sensor], ticks: int) -> None:
        """Report the windows that must have been closed and were never published."""
        for (number, boot, start_us), window in self._open.items():
            sensor = sensors[number]
            if boot not in sensor.boots:
                continue  # The sensor was forgotten since; its numbers began anew.
            end_us = start_us + self._rules.window_us
            if not sensor.must_be_closed(boot, end_us, ticks, self._rules):
                continue
            if self._row.first_offset and self._may_have_earlier_rows(sensor.boots[boot], start_us):
                self._row.unknown += 1
                continue
            what = f"the window from {start_us} us with {window.acc.count} samples is missing"
            where = (None, self._ids[number], boot)
            self._add("lost", what, *where, window.first_sample)

    def _unknown_window(
        self,
        published: dict[str, Any],
        boot: Boot | None,
        where: tuple[int | None, str, int],
    ) -> None:
        if self._row.first_offset and (
            boot is None or self._may_have_earlier_rows(boot, published["start_us"])
        ):
            self._row.unknown += 1
            return
        again = boot is not None and published["end_us"] <= boot.closed_end_us
        what = f"the window from {published['start_us']} us"
        if again:
            self._add("doubled", f"{what} was published before", *where, published["first_sample"])
        else:
            self._add("wrong", f"{what} has no rows", *where, published["first_sample"])

    def _may_have_earlier_rows(self, boot: Boot, start_us: int) -> bool:
        return start_us < boot.first_us + self._rules.lateness_us

    def _take_late(self, boot: Boot, published: dict[str, Any]) -> bool:
        """Strike off the late samples that a window tells; False where it tells a wrong number.

        Frames of the record that closed the window may have come before or after that.
        """
        through = published["through_offset"]
        least = sum(count for offset, count in boot.late if offset < through - 1)
        most = sum(count for offset, count in boot.late if offset < through)
        told = published["late"]
        left = told
        while left and boot.late:
            offset, count = boot.late[0]
            taken = min(left, count)
            left -= taken
            boot.late[:1] = [(offset, count - taken)] if count > taken else []
        if least <= told <= most:
            return True
        boot.late = [(offset, count) for offset, count in boot.late if offset >= through]
        return False

    def _add(
        self,
        kind: Kind,
        what: str,
        own_offset: int | None,
        sensor_id: str,
        boot: int,
        sample: int,
    ) -> None:
        if own_offset is not None:
            what += f" (sensor-data-aggregated/{self._row.partition}/{own_offset})"
        self._row.add(Difference(kind, what, self._row.partition, None, sensor_id, boot, sample))
