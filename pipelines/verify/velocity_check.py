"""Compare the published velocity windows with those that the predictions make."""

from typing import Any

from pipelines.predictions import ModelId
from pipelines.settings import ProcessingSettings
from pipelines.verify.predicted_rows import Predicted
from pipelines.verify.prediction_fates import Part, Past
from pipelines.verify.prediction_report import PredictionReport
from pipelines.verify.raw_frames import Sensors
from pipelines.verify.velocity_windows import ClosedWindow, VelocityWindow


class VelocityCheck:
    """The windows of one partition; ``closed`` counts those that must have been published."""

    def __init__(
        self,
        processing: ProcessingSettings,
        report: PredictionReport,
        sensors: Sensors,
        past: dict[int, Past],
        whole: bool,
    ) -> None:
        """``past``: of each sensor; ``whole``: no data were deleted."""
        self._report = report
        self._sensors = sensors
        self._past = past
        self._whole = whole
        self._rate_hz = processing.sample_rate_hz
        self._window_us = round(processing.window_s * 1e6)
        self._silence_ticks = min(processing.silence_ticks, processing.forget_ticks)
        self._waiting: list[ClosedWindow] = []
        self.closed = 0

    def add(
        self,
        part: Part,
        past: Past,
        rows: Predicted,
        model: ModelId | None,
        at_zero: bool,
        lossy: bool,
    ) -> None:
        """Add predicted rows, which lie in one window of time."""
        run, window = part.run, past.window
        if window is not None and (window.boot, window.start_us) != (run.boot, run.start_us):
            by = "time" if window.boot == run.boot else "reboot"
            self._close(run.sensor, past, by, run.offset + 1)
        if past.window is None:
            first = run.first + part.start
            past.window = VelocityWindow(run.boot, run.start_us, first, not past.windows_known)
        past.window.unsure |= lossy
        past.window.add(rows, model, int(at_zero))

    def tick(self, ticks: int, through_offset: int) -> None:
        """Close the windows of sensors without rows for long; ``ticks`` is how many there were."""
        silent = [
            (self._report.sensor_id(sensor).encode(), sensor, past)
            for sensor, past in self._past.items()
            if past.window is not None and ticks - past.last_tick >= self._silence_ticks
        ]
        for _, sensor, past in sorted(silent, key=lambda found: found[0]):
            self._close(sensor, past, "silence", through_offset)

    def _close(self, sensor: int, past: Past, by: str, through: int) -> None:
        assert past.window is not None
        self._waiting.append(ClosedWindow(sensor, past.window, past.skipped, by, through))
        past.window, past.skipped = None, 0
        past.windows_known = True
        self.closed += 1

    def compare(self, published: list[tuple[int, dict[str, Any]]]) -> None:
        """Compare the windows closed in one read with those published, in order."""
        expected = {closed.key: closed for closed in self._waiting}
        order = [closed.key for closed in self._waiting]
        self._waiting = []
        came = []
        for own, window in published:
            sensor = self._sensors.number(str(window["sensor_id"]).encode())
            key = (sensor, window["boot"], window["first_sample"])
            closed = expected.pop(key, None)
            if closed is None:
                self._unexpected(key, own, window)
                continue
            came.append(key)
            self._past[sensor].last_closed = key[1:]
            faults = closed.faults(window, self._window_us, self._rate_hz)
            if faults and closed.window.unsure:
                self._report.unknown += 1
            elif faults:
                what = f"the velocity window from {window.get('start_us')} us differs in "
                self._report.window("wrong", what + ", ".join(faults), key, own)
        for key, closed in expected.items():
            if closed.window.unsure:
                self._report.unknown += 1
                continue
            what = f"the velocity window from {closed.window.start_us} us is missing"
            self._report.window("lost", what, key)
        if came != [key for key in order if key not in expected]:
            self._report.add("wrong", "velocity windows stand in another order than they closed in")

    def _unexpected(self, key: tuple[int, int, int], own: int, window: dict[str, Any]) -> None:
        past = self._past.get(key[0])
        if not self._whole and (past is None or past.last_closed == (-1, -1)):
            self._report.unknown += 1
        elif past is not None and key[1:] <= past.last_closed:
            self._report.window("doubled", "a velocity window is there again", key, own)
        else:
            what = f"the velocity window from {window.get('start_us')} us has no samples"
            self._report.window("wrong", what, key, own)
