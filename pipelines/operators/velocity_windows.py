"""Velocity windows: what the predicted samples of one sensor say of two seconds.

Tumbling, aligned as the motion windows, one open for each sensor. A predicted sample of another
window closes it (``time``), one of another boot (``reboot``), or ticks without rows (``silence``).
"""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson

from pipelines.compiled import compiled
from pipelines.operators.inference_layout import (
    BY_REBOOT,
    BY_SILENCE,
    BY_TIME,
    CLOSED_BY,
    CLOSED_WINDOW,
    COUNTS,
    NONE,
    NOT_A_NUMBER,
    PREDICTED,
)
from pipelines.predictions import ModelId

_TICKS: Final = COUNTS.index("ticks")
_SAMPLES: Final = COUNTS.index("samples")
_PREDICTED: Final = COUNTS.index("predicted")
_SKIPPED: Final = COUNTS.index("skipped")
_NOT_A_NUMBER: Final = COUNTS.index("not_a_number")
_RESETS: Final = COUNTS.index("resets")
_WINDOWS: Final = COUNTS.index("velocity_windows")
_FORGOTTEN: Final = COUNTS.index("sensors_forgotten")

_MOVING: Final = 0.5


@compiled
def add_to_windows(
    sensors: Any,
    counts: Any,
    rules: Any,
    model: int,
    samples: Any,
    inferred: Any,
    closed: npt.NDArray[np.void],
) -> int:
    """Take the inferred rows and the ticks of a batch in order; return how many windows closed.

    Args:
        sensors: ``(s,) SENSOR``.
        counts: ``(len(COUNTS),)``.
        rules: :class:`pipelines.operators.inference_layout.Rules`.
        model: the number of the model that ran.
        samples: :class:`pipelines.operators.inference_layout.Samples`.
        inferred: :class:`pipelines.operators.inference_layout.Inferred`.
        closed: ``(w,) CLOSED_WINDOW`` with room for every window.
    """
    done = 0
    for record in range(len(samples.tick)):
        through = samples.offset[record] + 1
        if samples.tick[record]:
            counts[_TICKS] += 1
            done = _silence(sensors, counts, rules, record, through, closed, done)
            continue
        for row in range(samples.first_row[record], samples.first_row[record + 1]):
            of = sensors[samples.sensor[row]]
            of.last_tick = counts[_TICKS]
            of.changed = 1
            of.forgotten = 0
            counts[_SAMPLES] += 1
            verdict = inferred.verdict[row]
            if verdict != PREDICTED:
                of.skipped += 1
                counts[_NOT_A_NUMBER if verdict == NOT_A_NUMBER else _SKIPPED] += 1
                continue
            reset = np.int64(inferred.at_zero[row])
            counts[_PREDICTED] += 1
            counts[_RESETS] += reset
            boot = samples.boot[row]
            start_us = samples.timestamp_us[row] // rules.window_us * rules.window_us
            if of.samples and (of.window_boot != boot or of.start_us != start_us):
                how = BY_TIME if of.window_boot == boot else BY_REBOOT
                done = _close(of, samples.sensor[row], how, record, through, closed, done)
            if of.samples == 0:
                _open(of, boot, start_us, samples.sample_index[row])
            of.samples += 1
            of.last_sample = samples.sample_index[row]
            of.model = model
            of.resets += reset
            of.moving += np.int64(inferred.moving[row] >= _MOVING)
            of.velocity_sum += np.float64(inferred.velocity[row])
            of.velocity_max = max(of.velocity_max, np.float64(inferred.velocity[row]))
    counts[_WINDOWS] += done
    return done


@compiled
def _silence(
    sensors: Any,
    counts: npt.NDArray[np.int64],
    rules: Any,
    record: int,
    through: int,
    closed: Any,
    done: int,
) -> int:
    for row in range(len(sensors)):
        of = sensors[row]
        if of.last_tick == NONE:
            continue
        quiet = counts[_TICKS] - of.last_tick
        forgotten = quiet >= rules.forget_ticks
        if of.samples and (forgotten or quiet >= rules.silence_ticks):
            done = _close(of, row, BY_SILENCE, record, through, closed, done)
        if forgotten:
            of.last_tick = NONE
            of.skipped = 0
            of.changed = 1
            of.forgotten = 1
            counts[_FORGOTTEN] += 1
    return done


@compiled
def _open(of: Any, boot: int, start_us: int, first_sample: int) -> None:
    of.window_boot = boot
    of.start_us = start_us
    of.first_sample = first_sample
    of.moving = 0
    of.resets = 0
    of.velocity_max = -np.inf
    of.velocity_sum = 0.0


@compiled
def _close(
    of: Any, sensor: int, how: int, record: int, through: int, closed: Any, done: int
) -> int:
    out = closed[done]
    out.record = record
    out.sensor = sensor
    out.closed_by = how
    out.through_offset = through
    out.skipped = of.skipped
    out.window_boot = of.window_boot
    out.start_us = of.start_us
    out.samples = of.samples
    out.first_sample = of.first_sample
    out.last_sample = of.last_sample
    out.moving = of.moving
    out.resets = of.resets
    out.model = of.model
    out.velocity_max = of.velocity_max
    out.velocity_sum = of.velocity_sum
    of.samples = 0
    of.skipped = 0
    of.changed = 1
    return done + 1


class ClosedWindow(NamedTuple):
    """A row of `CLOSED_WINDOW`, field by field."""

    record: int
    sensor: int
    closed_by: int
    through_offset: int
    skipped: int
    boot: int
    start_us: int
    samples: int
    first_sample: int
    last_sample: int
    moving: int
    resets: int
    model: int
    velocity_max: float
    velocity_sum: float


assert len(ClosedWindow._fields) == len(CLOSED_WINDOW.names or ())


def velocity_record(
    sensor_id: str, window: ClosedWindow, model: ModelId, window_us: int, rate_hz: float
) -> bytes:
    """Return the JSON of a closed window (schemas/window.schema.json)."""
    w = window
    return orjson.dumps(
        {
            "kind": "velocity",
            "sensor_id": sensor_id,
            "boot": w.boot,
            "start_us": w.start_us,
            "end_us": w.start_us + window_us,
            "samples": w.samples,
            "first_sample": w.first_sample,
            "last_sample": w.last_sample,
            "velocity_max": w.velocity_max,
            "distance_m": w.velocity_sum / rate_hz,
            "moving_share": w.moving / w.samples,
            "resets": w.resets,
            "skipped": w.skipped,
            "model": model._asdict(),
            "closed_by": CLOSED_BY[w.closed_by],
            "through_offset": w.through_offset,
        }
    )
