"""Which frame suffers what: pure functions of seed, sensor and frame number.

So the bytes of a fleet do not depend on how its frames are batched or paced.
"""

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from simulator.options import FAULT_SHARES, FleetOptions

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

REBOOT_SLOT_S = 10.0
_REBOOT_FROM_S = 6.0  # reboots lie in the last 4 s of their slot: a boot lasts 6 s or longer
SILENCE_SLOT_S = 30.0
FUTURE_US = 10 * 365 * 24 * 3600 * 1_000_000


class Fault(IntEnum):
    """What happens to a frame; the order of FAULT_SHARES, after NONE."""

    NONE = 0
    LOST = 1
    BAD_CRC = 2
    CUT = 3
    DUPLICATE = 4
    REORDER = 5


class Draw(IntEnum):
    """What a random number is for; each gets its own stream."""

    FAULT = 1
    PLACE = 2
    HEARTBEAT = 3
    REBOOT = 4
    REBOOT_AT = 5
    SILENCE = 6
    SILENCE_AT = 7
    SILENCE_FOR = 8
    FUTURE = 9
    OFFSET = 10
    DRIFT = 11
    PHASE = 12


def uniform(seed: int, draw: Draw, sensors: Ints, counters: Ints) -> Floats:
    """Return numbers in [0, 1) that depend on these four alone (splitmix64 finalizer)."""
    with np.errstate(over="ignore"):
        key = (seed * 0x9E3779B97F4A7C15 + draw) % 2**64
        state = np.full(len(sensors), key, dtype=np.uint64)
        for part in (sensors, counters):
            state = state + part.astype(np.uint64) * np.uint64(0xD1342543DE82EF95)
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state = state ^ (state >> np.uint64(31))
    return np.asarray((state >> np.uint64(11)) * 2.0**-53, dtype=np.float64)


def frame_faults(options: FleetOptions, sensors: Ints, frames: Ints) -> npt.NDArray[np.int8]:
    """Return the Fault of each frame."""
    bounds = np.cumsum([getattr(options, name) for name in FAULT_SHARES])
    draws = uniform(options.seed, Draw.FAULT, sensors, frames)
    place = np.searchsorted(bounds, draws, side="right")
    return np.where(place < len(bounds), place + 1, Fault.NONE).astype(np.int8)


def reboots(options: FleetOptions, sensors: Ints, frames: Ints) -> npt.NDArray[np.bool_]:
    """Tell before which frames the sensor reboots: its numbering restarts at 0."""
    slot, into, length = _slots(options, REBOOT_SLOT_S, frames)
    chosen = uniform(options.seed, Draw.REBOOT, sensors, slot) < options.reboot
    first = np.ceil(length * _REBOOT_FROM_S / REBOOT_SLOT_S)
    at = first + np.floor(
        uniform(options.seed, Draw.REBOOT_AT, sensors, slot) * np.maximum(length - first, 1)
    )
    return np.asarray(chosen & (into == at) & (at < length))


def silent(options: FleetOptions, sensors: Ints, frames: Ints) -> npt.NDArray[np.bool_]:
    """Tell which frames fall into a silence of their sensor and are never sent."""
    slot, into, length = _slots(options, SILENCE_SLOT_S, frames)
    chosen = uniform(options.seed, Draw.SILENCE, sensors, slot) < options.silence
    second = length / SILENCE_SLOT_S
    start = second * 8 * uniform(options.seed, Draw.SILENCE_AT, sensors, slot)
    span = second * (12 + 6 * uniform(options.seed, Draw.SILENCE_FOR, sensors, slot))
    return np.asarray(chosen & (into >= start) & (into < start + span))


def _slots(options: FleetOptions, slot_s: float, frames: Ints) -> tuple[Ints, Ints, int]:
    """Return each frame's slot of time, its place in it, and a slot's length in frames."""
    length = max(2, int(np.ceil(slot_s / options.frame_period_s)))
    return frames // length, frames % length, length


def clock_offsets_us(options: FleetOptions) -> Ints:
    """Return how far each device's clock is ahead, ``(sensors,)`` microseconds."""
    numbers, zeros = _per_sensor(options)
    spread = 2 * uniform(options.seed, Draw.OFFSET, numbers, zeros) - 1
    offsets = np.rint(spread * options.clock_offset_s * 1e6).astype(np.int64)
    future = uniform(options.seed, Draw.FUTURE, numbers, zeros) < options.future_clock
    return np.asarray(offsets + np.where(future, FUTURE_US, 0), dtype=np.int64)


def clock_drifts(options: FleetOptions) -> Floats:
    """Return how much faster than true time each device's clock runs, as a fraction."""
    spread = 2 * uniform(options.seed, Draw.DRIFT, *_per_sensor(options)) - 1
    return np.asarray(spread * options.clock_drift_ppm * 1e-6, dtype=np.float64)


def motion_phases(options: FleetOptions, loop_samples: int) -> Ints:
    """Return at which sample of its motion loop each sensor starts."""
    draws = uniform(options.seed, Draw.PHASE, *_per_sensor(options))
    return np.asarray(np.floor(draws * loop_samples), dtype=np.int64)


def _per_sensor(options: FleetOptions) -> tuple[Ints, Ints]:
    return np.arange(options.sensors), np.zeros(options.sensors, dtype=np.int64)


def corrupted(frame: bytes, where: float) -> bytes:
    """Return the frame with one bit of its samples flipped, so that its checksum is wrong."""
    at = 18 + int(where * (len(frame) - 20))
    return frame[:at] + bytes([frame[at] ^ 0x10]) + frame[at + 1 :]


def cut_short(frame: bytes, where: float) -> bytes:
    """Return the frame without its end; the header and at least one byte more stay."""
    return frame[: 19 + int(where * (len(frame) - 20))]
