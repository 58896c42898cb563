"""Samples: from counts in a frame to calibrated columns, and into their window's statistics."""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pipelines.compiled import compiled
from pipelines.frame_format import (
    ACC_G,
    GYRO_RAD_S,
    MAG_GAUSS,
    SAMPLE_BYTES,
    SAMPLES_AT,
)
from pipelines.operators.windows import is_closed, open_window

_ACC_G: Final = ACC_G
_GYRO_RAD_S: Final = GYRO_RAD_S
_MAG_GAUSS: Final = MAG_GAUSS


class Columns(NamedTuple):
    """The rows of sensor-data-transformed before they are Arrow: ``(rows,)`` or ``(3, rows)``.

    ``sensor`` is the sensor's row in the state; the rest is as in :mod:`pipelines.transformed`.
    """

    sensor: npt.NDArray[np.int32]
    boot: npt.NDArray[np.int32]
    sample_index: npt.NDArray[np.int64]
    timestamp_us: npt.NDArray[np.int64]
    acc: npt.NDArray[np.float32]
    gyro: npt.NDArray[np.float32]
    mag: npt.NDArray[np.float32]
    temp_raw: npt.NDArray[np.int16]
    accl_mag: npt.NDArray[np.float32]
    gyro_mag: npt.NDArray[np.float32]
    late: npt.NDArray[np.bool_]
    raw_offset: npt.NDArray[np.int64]


def empty_columns(rows: int) -> Columns:
    """Return columns with room for ``rows`` samples."""

    def of(dtype: Any, *shape: int) -> Any:
        return np.empty((*shape, rows), dtype)

    return Columns(
        sensor=of(np.int32),
        boot=of(np.int32),
        sample_index=of(np.int64),
        timestamp_us=of(np.int64),
        acc=of(np.float32, 3),
        gyro=of(np.float32, 3),
        mag=of(np.float32, 3),
        temp_raw=of(np.int16),
        accl_mag=of(np.float32),
        gyro_mag=of(np.float32),
        late=of(np.bool_),
        raw_offset=of(np.int64),
    )


@compiled
def sample_time_us(first_us: int, index: int, rules: Any) -> int:
    """Return the timestamp of a frame's sample ``index``."""
    return first_us + int(np.rint(index * rules.period_us))


@compiled
def emit(
    tables: Any,
    rules: Any,
    row: int,
    buffer: Any,
    frame_at: int,
    base: int,
    first_us: int,
    start: int,
    end: int,
    raw_offset: int,
    columns: Any,
    at: int,
) -> int:
    """Write a frame's samples start:end as rows from ``at``, and add them to their windows.

    Returns how many of them were late.
    """
    late_samples = 0
    i = start
    while i < end:
        window_start_us = sample_time_us(first_us, i, rules) // rules.window_us * rules.window_us
        stop = _first_beyond(first_us, i, end, window_start_us + rules.window_us, rules)
        late = is_closed(tables, rules, row, window_start_us)
        to = at + (i - start)
        rows = stop - i
        columns.sensor[to : to + rows] = row // 2
        columns.boot[to : to + rows] = tables.boots[row].number
        columns.late[to : to + rows] = late
        columns.raw_offset[to : to + rows] = raw_offset
        for k in range(rows):
            columns.sample_index[to + k] = base + i + k
            columns.timestamp_us[to + k] = sample_time_us(first_us, i + k, rules)
        _calibrate(buffer, frame_at + SAMPLES_AT + SAMPLE_BYTES * i, rows, columns, to)
        if late:
            late_samples += rows
        else:
            window = open_window(tables, row, window_start_us, base + i)
            _accumulate(tables.windows[window], columns, to, rows, base + i)
        i = stop
    return late_samples


@compiled
def _first_beyond(first_us: int, i: int, end: int, end_us: int, rules: Any) -> int:
    """Return the first sample after ``i`` and at most ``end`` that is not before ``end_us``."""
    stop = min(end, max(i + 1, int((end_us - first_us) / rules.period_us)))
    while stop > i + 1 and sample_time_us(first_us, stop - 1, rules) >= end_us:
        stop -= 1
    while stop < end and sample_time_us(first_us, stop, rules) < end_us:
        stop += 1
    return stop


@compiled
def _int16(high: int, low: int) -> int:
    value = (int(high) << 8) | int(low)
    return value - ((value & 0x8000) << 1)


@compiled
def _calibrate(buffer: Any, at: int, rows: int, columns: Any, to: int) -> None:
    for k in range(rows):
        b = buffer[at : at + SAMPLE_BYTES]
        at += SAMPLE_BYTES
        out = to + k
        ax, ay, az = _int16(b[0], b[1]), _int16(b[2], b[3]), _int16(b[4], b[5])
        gx, gy, gz = _int16(b[6], b[7]), _int16(b[8], b[9]), _int16(b[10], b[11])
        columns.acc[0, out] = ax * _ACC_G
        columns.acc[1, out] = ay * _ACC_G
        columns.acc[2, out] = az * _ACC_G
        columns.gyro[0, out] = gx * _GYRO_RAD_S
        columns.gyro[1, out] = gy * _GYRO_RAD_S
        columns.gyro[2, out] = gz * _GYRO_RAD_S
        columns.mag[0, out] = _int16(b[13], b[12]) * _MAG_GAUSS
        columns.mag[1, out] = _int16(b[15], b[14]) * _MAG_GAUSS
        columns.mag[2, out] = _int16(b[17], b[16]) * _MAG_GAUSS
        columns.temp_raw[out] = _int16(b[18], b[19])
        # The sum of squares of three int16 is exact in float64.
        fax, fay, faz = np.float64(ax), np.float64(ay), np.float64(az)
        fgx, fgy, fgz = np.float64(gx), np.float64(gy), np.float64(gz)
        columns.accl_mag[out] = np.sqrt(fax * fax + fay * fay + faz * faz) * _ACC_G
        columns.gyro_mag[out] = np.sqrt(fgx * fgx + fgy * fgy + fgz * fgz) * _GYRO_RAD_S


@compiled
def _accumulate(window: Any, columns: Any, at: int, rows: int, first_sample: int) -> None:
    """Add rows to a window's statistics one after the other, so that cuts change no bit."""
    if window.samples == 0:
        window.acc_first = columns.accl_mag[at]
        window.gyro_first = columns.gyro_mag[at]
    acc_first, gyro_first = window.acc_first, window.gyro_first
    acc_min, acc_max = window.acc_min, window.acc_max
    acc_sum, acc_squares = window.acc_sum, window.acc_squares
    gyro_min, gyro_max = window.gyro_min, window.gyro_max
    gyro_sum, gyro_squares = window.gyro_sum, window.gyro_squares
    for k in range(at, at + rows):
        acc = np.float64(columns.accl_mag[k])
        gyro = np.float64(columns.gyro_mag[k])
        acc_min, acc_max = min(acc_min, acc), max(acc_max, acc)
        gyro_min, gyro_max = min(gyro_min, gyro), max(gyro_max, gyro)
        acc -= acc_first
        gyro -= gyro_first
        acc_sum += acc
        acc_squares += acc * acc
        gyro_sum += gyro
        gyro_squares += gyro * gyro
    window.acc_min, window.acc_max = acc_min, acc_max
    window.acc_sum, window.acc_squares = acc_sum, acc_squares
    window.gyro_min, window.gyro_max = gyro_min, gyro_max
    window.gyro_sum, window.gyro_squares = gyro_sum, gyro_squares
    window.samples += rows
    window.first_sample = min(window.first_sample, first_sample)
    window.last_sample = max(window.last_sample, first_sample + rows - 1)
