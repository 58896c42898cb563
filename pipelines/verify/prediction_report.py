"""Where the differences of predictions are put down, with the words for where they are."""

from pipelines.verify.letters import Letter
from pipelines.verify.raw_frames import Sensors
from pipelines.verify.result import Difference, Kind
from pipelines.verify.row_matching import Expected
from pipelines.verify.stage_result import StageRow


class PredictionReport:
    """One partition's differences; ``unknown`` counts what deleted data may explain."""

    def __init__(self, row: StageRow, sensors: Sensors) -> None:
        self.row = row
        self.unknown = 0
        self._sensors = sensors

    def add(self, kind: Kind, what: str) -> None:
        """Put down a difference that belongs to no sensor."""
        self.row.add(Difference(kind, what, self.row.partition))

    def letter(self, kind: Kind, what: str, letter: Letter) -> None:
        """Put down a difference of a dead letter."""
        what = f"dead-letters/{self.row.partition}/{letter.own_offset} {what}"
        self.row.add(Difference(kind, what, self.row.partition, letter.offset))

    def sample(self, kind: Kind, what: str, rows: Expected, at: int, count: int = 1) -> None:
        """Put down a difference of ``count`` samples, of which row ``at`` is the first."""
        sensor_id = self.sensor_id(int(rows.sensor[at]))
        boot, sample = int(rows.boot[at]), int(rows.number[at])
        found = Difference(kind, what, self.row.partition, None, sensor_id, boot, sample)
        self.row.add(found, count)

    def window(
        self, kind: Kind, what: str, key: tuple[int, int, int], own: int | None = None
    ) -> None:
        """Put down a difference of a velocity window, named by sensor, boot and first sample."""
        if own is not None:
            what += f" (sensor-data-aggregated/{self.row.partition}/{own})"
        sensor, boot, sample = key
        sensor_id = self.sensor_id(sensor)
        self.row.add(Difference(kind, what, self.row.partition, None, sensor_id, boot, sample))

    def sensor_id(self, sensor: int) -> str:
        """Return the id of a sensor given by its number."""
        return self._sensors.ids[sensor]
