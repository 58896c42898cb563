"""What a fleet really sent, and what a pipeline must make of it."""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from simulator.options import FleetOptions
from simulator.schedule import Batch, Outcome
from simulator.timetable import Timetable

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Replayed:
    """What the sensors of a replay played, one entry a sensor.

    recordings: which;  samples: on the device's grid;  missing_samples: left out in gaps;
    saturated_values: beyond the range of int16, sent as its end
    """

    recordings: list[str]
    samples: list[int]
    missing_samples: list[int]
    saturated_values: list[int]


@dataclass(frozen=True)
class Report:
    """What was sent; the JSON of ``--report``.

    messages: ``published``, ``acknowledged`` (None without a broker) and ``bytes``
    faults:   how many frames, boots or sensors each fault struck
    expected: the ledger's counts over all partitions: ``frames`` = ``transformed`` +
              ``duplicates`` + ``heartbeats`` + the sum of ``dead_letters`` (by reason);
              ``samples_transformed``
    sensors:  columns, one row a sensor
    boots:    columns, one row a boot of which a plausible good frame was sent: ``frames`` and
              ``samples`` without duplicates, ``end_sample`` (one past the largest sample number),
              ``base_sum`` (sum of the frames' base sample numbers)
    replay:   what was played, where recordings were
    """

    options: dict[str, object]
    started_us: int
    finished_us: int
    messages: dict[str, int | None]
    faults: dict[str, int]
    expected: dict[str, int | dict[str, int]]
    sensors: dict[str, list[object]]
    boots: dict[str, list[object]]
    replay: Replayed | None = None

    def as_json(self) -> str:
        """Return the report as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)

    def write(self, path: Path) -> None:
        """Write the report as a JSON file."""
        path.write_text(self.as_json() + "\n", encoding="utf-8")


class Tally:
    """Counts messages by boot and outcome."""

    def __init__(self, options: FleetOptions) -> None:
        self._options = options
        self._counts = np.zeros((options.sensors, len(Outcome)), dtype=np.int64)
        self._base_sum = np.zeros(options.sensors, dtype=np.int64)
        self._end = np.zeros(options.sensors, dtype=np.int64)
        self._samples = np.zeros(options.sensors, dtype=np.int64)
        self._bytes = 0

    @property
    def published(self) -> int:
        """How many messages were published so far."""
        return int(self._counts[:, : Outcome.LOST].sum())

    @property
    def samples(self) -> int:
        """How many samples were published in good frames so far, without duplicates."""
        return int(self._samples.sum())

    def add(self, batch: Batch) -> None:
        """Count what was sent, and what was not."""
        rows = [message.row for message in batch.messages] + batch.lost + batch.silent
        if not rows:
            return
        outcomes = [int(message.outcome) for message in batch.messages]
        outcomes += [Outcome.LOST] * len(batch.lost) + [Outcome.SILENT] * len(batch.silent)
        self._grow(max(rows) + 1)
        row, outcome = np.array(rows), np.array(outcomes)
        np.add.at(self._counts, (row, outcome), 1)
        sent = len(batch.messages)
        good = np.flatnonzero(outcome[:sent] <= Outcome.REORDERED)
        bases = np.array([message.base for message in batch.messages], dtype=np.int64)[good]
        np.add.at(self._base_sum, row[good], bases)
        samples = np.array([message.samples for message in batch.messages], dtype=np.int64)[good]
        np.add.at(self._samples, row[good], samples)
        np.maximum.at(self._end, row[good], bases + samples)
        self._bytes += sum(len(message.payload) for message in batch.messages)

    def _grow(self, rows: int) -> None:
        missing = rows - len(self._counts)
        if missing > 0:
            more = max(missing, len(self._counts))
            self._counts = np.pad(self._counts, ((0, more), (0, 0)))
            self._base_sum = np.pad(self._base_sum, (0, more))
            self._end = np.pad(self._end, (0, more))
            self._samples = np.pad(self._samples, (0, more))

    def report(
        self,
        schedule: Timetable,
        acknowledged: int | None,
        replay: Replayed | None = None,
    ) -> Report:
        """Return the report of everything counted."""
        boots = len(schedule.boots)
        sensor = np.array([boot.sensor for boot in schedule.boots])
        self._grow(boots)
        counts = self._counts[:boots]
        future = schedule.offsets_us > self._options.max_future_s * 1e6
        plausible = ~future[sensor]
        return Report(
            options=self._options.as_json(),
            started_us=schedule.start_us,
            finished_us=time.time_ns() // 1000,
            messages={
                "published": self.published,
                "acknowledged": acknowledged,
                "bytes": self._bytes,
            },
            faults=self._faults(counts, future, boots),
            expected=self._expected(counts, plausible),
            sensors=self._by_sensor(counts, sensor, future),
            boots=self._by_boot(counts, sensor, plausible),
            replay=replay,
        )

    def _faults(self, counts: Ints, future: npt.NDArray[np.bool_], boots: int) -> dict[str, int]:
        total = counts.sum(axis=0)
        return {
            "duplicates": int(total[Outcome.DUPLICATE]),
            "lost": int(total[Outcome.LOST]),
            "bad_crc": int(total[Outcome.BAD_CRC]),
            "cut": int(total[Outcome.CUT]),
            "reordered": int(total[Outcome.REORDERED]),
            "heartbeats": int(total[Outcome.HEARTBEAT]),
            "silent": int(total[Outcome.SILENT]),
            "reboots": boots - self._options.sensors,
            "future_clock_sensors": int(future.sum()),
        }

    def _expected(
        self, counts: Ints, plausible: npt.NDArray[np.bool_]
    ) -> dict[str, int | dict[str, int]]:
        good = counts[plausible].sum(axis=0)
        total = counts.sum(axis=0)
        decodable = [Outcome.GOOD, Outcome.REORDERED, Outcome.DUPLICATE, Outcome.HEARTBEAT]
        transformed = int(good[Outcome.GOOD] + good[Outcome.REORDERED])
        return {
            "frames": int(total[: Outcome.LOST].sum()),
            "transformed": transformed,
            "duplicates": int(good[Outcome.DUPLICATE]),
            "heartbeats": int(good[Outcome.HEARTBEAT]),
            "dead_letters": {
                "crc_mismatch": int(total[Outcome.BAD_CRC]),
                "truncated_frame": int(total[Outcome.CUT]),
                "implausible_timestamp": int((total - good)[decodable].sum()),
            },
            "samples_transformed": int(self._samples[: len(counts)][plausible].sum()),
        }

    def _by_sensor(
        self, counts: Ints, sensor: Ints, future: npt.NDArray[np.bool_]
    ) -> dict[str, list[object]]:
        summed = np.zeros((self._options.sensors, len(Outcome)), dtype=np.int64)
        np.add.at(summed, sensor, counts)
        columns: dict[str, list[object]] = {
            "sensor_id": list(self._options.sensor_ids()),
            "messages": summed[:, : Outcome.LOST].sum(axis=1).tolist(),
            "clock_plausible": (~future).tolist(),
        }
        return columns | {o.name.lower(): summed[:, o].tolist() for o in Outcome}

    def _by_boot(
        self, counts: Ints, sensor: Ints, plausible: npt.NDArray[np.bool_]
    ) -> dict[str, list[object]]:
        frames = counts[:, Outcome.GOOD] + counts[:, Outcome.REORDERED]
        rows = np.flatnonzero(plausible & (frames > 0))
        rows = rows[np.argsort(sensor[rows], kind="stable")]
        ids = self._options.sensor_ids()
        number: list[object] = []
        seen: dict[int, int] = {}
        for index in sensor[rows].tolist():
            number.append(seen.get(index, 0))
            seen[index] = seen.get(index, 0) + 1
        return {
            "sensor_id": [ids[index] for index in sensor[rows].tolist()],
            "boot": number,
            "frames": frames[rows].tolist(),
            "samples": self._samples[rows].tolist(),
            "end_sample": self._end[rows].tolist(),
            "base_sum": self._base_sum[rows].tolist(),
        }
