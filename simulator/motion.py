"""The true motion of a body that rests, walks, runs, jumps and turns, as one periodic loop.

World axes are east, north, up. The body's x points ahead, y left, z up. The orientation takes
body to world: R = Rz(yaw) Ry(pitch) Rx(roll). Everything is derived from one trajectory, so
velocity is the integral of acceleration and the body rates are those of the orientation.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipelines.errors import ConfigurationError
from simulator.periodic import Floats, derivative, integral, plateau

GRAVITY_M_S2 = 9.80665
ACTIVITIES = ("rest", "walk", "run", "jump", "turn")
PROFILES = (*ACTIVITIES, "mixed")
_EDGE_S = 0.2
_GUARD_S = 1.0  # rest at both ends of a mixed loop, so that its edges have died away


class Segment(NamedTuple):
    """A span of one activity, in seconds from the loop's start."""

    activity: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Gait:
    """How a walk or a run moves the body. Lengths in metres, angles in radians."""

    cadence_hz: float
    speed_m_s: float
    bounce_m: float
    sway_m: float
    surge_m: float
    pitch_rad: float
    roll_rad: float


GAITS = {
    "walk": Gait(1.8, 1.35, 0.020, 0.018, 0.012, 0.05, 0.07),
    "run": Gait(2.7, 3.2, 0.045, 0.012, 0.015, 0.10, 0.10),
}


@dataclass(frozen=True)
class Trajectory:
    """One loop of true motion; ``n`` samples that join up with themselves.

    position_m, velocity_m_s, acceleration_m_s2: ``(n, 3) float64`` in the world, gravity left out
    angles_rad: ``(n, 3)`` roll, pitch, yaw;  rates_rad_s: ``(n, 3)`` body rates
    activity: ``(n,) int8`` index into ACTIVITIES
    displacement_m: ``(3,)`` how far one loop carries the body
    """

    position_m: Floats
    velocity_m_s: Floats
    acceleration_m_s2: Floats
    angles_rad: Floats
    rates_rad_s: Floats
    activity: npt.NDArray[np.int8]
    displacement_m: Floats


def segments_of(profile: str, loop_s: float, rng: np.random.Generator) -> list[Segment]:
    """Return the activities of one loop in order of time; ``mixed`` draws them.

    Raises:
        ConfigurationError: there is no such profile.
    """
    if profile not in PROFILES:
        raise ConfigurationError(f"motion {profile!r} is none of {', '.join(PROFILES)}")
    if profile != "mixed":
        return [Segment(profile, 0.0, loop_s)]
    order = [*ACTIVITIES, "walk", "run"]
    rng.shuffle(order)
    shares = rng.uniform(0.7, 1.3, len(order))
    spans = shares / shares.sum() * (loop_s - 2 * _GUARD_S)
    ends = _GUARD_S + np.cumsum(spans)
    return [
        Segment(activity, float(end - span), float(end))
        for activity, span, end in zip(order, spans, ends, strict=True)
    ]


def trajectory(profile: str, rate_hz: float, loop_s: float, rng: np.random.Generator) -> Trajectory:
    """Return one loop of motion of ``round(loop_s * rate_hz)`` samples."""
    length = round(loop_s * rate_hz)
    time_s = np.arange(length) / rate_hz
    segments = segments_of(profile, loop_s, rng)
    weights = {s: _weight(time_s, s, loop_s) for s in segments}
    moving = np.zeros(length)
    for segment in segments:
        if segment.activity in GAITS:
            moving += weights[segment]
    yaw = rng.uniform(-np.pi, np.pi) + moving * _wander(time_s, loop_s, rng)
    for segment in segments:
        if segment.activity == "turn":
            yaw += _turns(time_s, segment, loop_s, rng)
    tilt = rng.uniform(-0.15, 0.15, 2)
    angles = np.stack([np.full(length, tilt[0]), np.full(length, tilt[1]), yaw], axis=1)
    sway, speed, jump = np.zeros((length, 3)), np.zeros(length), np.zeros((length, 3))
    for segment in segments:
        if segment.activity in GAITS:
            gait = GAITS[segment.activity]
            phase = _phase(time_s, gait, loop_s, rng)
            sway += _sway(gait, phase, yaw) * weights[segment][:, None]
            speed += gait.speed_m_s * rng.uniform(0.85, 1.15) * weights[segment]
            angles[:, 0] += gait.roll_rad * weights[segment] * np.sin(phase / 2)
            angles[:, 1] += gait.pitch_rad * weights[segment] * np.sin(phase + 0.7)
        elif segment.activity == "jump":
            jump[:, 2] += _jumps(time_s, segment, loop_s, rng)
    ahead = speed[:, None] * np.stack([np.cos(yaw), np.sin(yaw), np.zeros(length)], axis=1)
    return _assemble(rate_hz, _Parts(sway, ahead, jump), angles, _activity(time_s, segments))


class _Parts(NamedTuple):
    """A motion's parts, each given as what it is simplest to say; ``(n, 3)`` in the world."""

    sway_m: Floats
    ahead_m_s: Floats
    jump_m_s2: Floats


def _assemble(
    rate_hz: float, parts: _Parts, angles: Floats, activity: npt.NDArray[np.int8]
) -> Trajectory:
    """Join position, velocity and acceleration into one trajectory."""
    sway_m, ahead_m_s, jump_m_s2 = parts
    jump_m_s2 = jump_m_s2 - jump_m_s2.mean(axis=0)
    jump_m_s = integral(jump_m_s2, rate_hz)
    velocity = derivative(sway_m, rate_hz) + ahead_m_s + jump_m_s
    drift_m_s = (ahead_m_s + jump_m_s).mean(axis=0)
    elapsed_s = np.arange(len(activity))[:, None] / rate_hz
    position = sway_m - sway_m[0] + integral(ahead_m_s + jump_m_s, rate_hz) + drift_m_s * elapsed_s
    sway_m_s2 = derivative(derivative(sway_m, rate_hz), rate_hz)
    return Trajectory(
        position_m=position,
        velocity_m_s=velocity,
        acceleration_m_s2=sway_m_s2 + derivative(ahead_m_s, rate_hz) + jump_m_s2,
        angles_rad=angles,
        rates_rad_s=_body_rates(angles, derivative(angles, rate_hz)),
        activity=activity,
        displacement_m=drift_m_s * len(activity) / rate_hz,
    )


def _weight(time_s: Floats, segment: Segment, loop_s: float) -> Floats:
    if segment.end_s - segment.start_s >= loop_s:
        return np.ones(len(time_s))
    return plateau(time_s, segment.start_s, segment.end_s, _EDGE_S, loop_s)


def _wander(time_s: Floats, loop_s: float, rng: np.random.Generator) -> Floats:
    """Return slow changes of heading, a few turns of the head a loop, in radians."""
    heading = np.zeros(len(time_s))
    for cycles in (1, 2, 3, 5):
        phase = rng.uniform(0, 2 * np.pi)
        heading += 0.5 / cycles * np.sin(2 * np.pi * cycles * time_s / loop_s + phase)
    return heading


def _turns(time_s: Floats, segment: Segment, loop_s: float, rng: np.random.Generator) -> Floats:
    """Return turns on the spot, each one way and back, in radians."""
    yaw = np.zeros(len(time_s))
    pairs = max(1, int((segment.end_s - segment.start_s) / 6))
    step_s = (segment.end_s - segment.start_s) / (2 * pairs)
    for pair in range(pairs):
        angle = rng.choice([-1, 1]) * rng.uniform(np.pi / 3, np.pi)
        there_s = segment.start_s + (2 * pair + 0.5) * step_s
        edge_s = rng.uniform(0.2, 0.4)
        yaw += angle * plateau(time_s, there_s, there_s + step_s, edge_s, loop_s)
    return yaw


def _phase(time_s: Floats, gait: Gait, loop_s: float, rng: np.random.Generator) -> Floats:
    """Return the step phase (rad) of a cadence that fits an even number of steps into the loop."""
    cadence = gait.cadence_hz * rng.uniform(0.92, 1.08)
    strides = max(1, round(cadence * loop_s / 2))
    return np.asarray(2 * np.pi * 2 * strides * time_s / loop_s, dtype=np.float64)


def _sway(gait: Gait, phase: Floats, yaw: Floats) -> Floats:
    """Return a gait's oscillation of position in the world, ``(n, 3)`` metres."""
    ahead = gait.surge_m * np.sin(phase + 1.3)
    left = gait.sway_m * np.sin(phase / 2)
    up = gait.bounce_m * (np.sin(phase) + 0.15 * np.sin(2 * phase + 0.5))
    east = ahead * np.cos(yaw) - left * np.sin(yaw)
    north = ahead * np.sin(yaw) + left * np.cos(yaw)
    return np.stack([east, north, up], axis=1)


def _jumps(time_s: Floats, segment: Segment, loop_s: float, rng: np.random.Generator) -> Floats:
    """Return the vertical acceleration of jumps: push off, free flight at -g, landing."""
    acceleration = np.zeros(len(time_s))
    count = max(1, int((segment.end_s - segment.start_s) / 2))
    step_s = (segment.end_s - segment.start_s) / count
    for jump in range(count):
        flight_s, push_s = rng.uniform(0.30, 0.45), 0.06
        middle_s = segment.start_s + (jump + 0.5) * step_s
        half_s = flight_s / 2
        air = plateau(time_s, middle_s - half_s, middle_s + half_s, 0.02, loop_s)
        acceleration -= GRAVITY_M_S2 * air
        for foot_s in (middle_s - half_s - 0.15, middle_s + half_s + 0.15):
            bump = np.exp(-0.5 * ((time_s - foot_s) / push_s) ** 2)
            area_m_s = GRAVITY_M_S2 * half_s
            acceleration += area_m_s / (push_s * np.sqrt(2 * np.pi)) * bump
    return acceleration


def _activity(time_s: Floats, segments: list[Segment]) -> npt.NDArray[np.int8]:
    activity = np.zeros(len(time_s), dtype=np.int8)
    for segment in segments:
        inside = (time_s >= segment.start_s) & (time_s < segment.end_s)
        activity[inside] = ACTIVITIES.index(segment.activity)
    return activity


def _body_rates(angles: Floats, angle_rates: Floats) -> Floats:
    """Return the angular velocity in body axes (rad/s) of changing roll, pitch and yaw."""
    roll, pitch = angles[:, 0], angles[:, 1]
    d_roll, d_pitch, d_yaw = angle_rates[:, 0], angle_rates[:, 1], angle_rates[:, 2]
    return np.stack(
        [
            d_roll - d_yaw * np.sin(pitch),
            d_pitch * np.cos(roll) + d_yaw * np.sin(roll) * np.cos(pitch),
            -d_pitch * np.sin(roll) + d_yaw * np.cos(roll) * np.cos(pitch),
        ],
        axis=1,
    )
