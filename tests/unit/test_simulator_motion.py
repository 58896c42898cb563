"""A simulated body moves as physics has it, and its sensors read that motion."""

import numpy as np
import pytest

from simulator.motion import ACTIVITIES, GRAVITY_M_S2, PROFILES, Trajectory, trajectory
from simulator.readings import (
    ACC_G_PER_COUNT,
    FIELD_GAUSS,
    GYRO_RAD_S_PER_COUNT,
    MAG_GAUSS_PER_COUNT,
    SAMPLE,
    encode_samples,
    ideal_readings,
    quaternions,
    rotations,
)

RATE_HZ = 1_000.0  # fine enough for differences of neighbours to be derivatives
LOOP_S = 40.0
SEEDS = (1, 2)


def motion_of(profile: str, seed: int = 1, rate_hz: float = RATE_HZ) -> Trajectory:
    return trajectory(profile, rate_hz, LOOP_S, np.random.default_rng(seed))


def slope(signal: np.ndarray) -> np.ndarray:
    """The derivative by central differences, around the end of the loop too."""
    return (np.roll(signal, -1, axis=0) - np.roll(signal, 1, axis=0)) * RATE_HZ / 2


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("seed", SEEDS)
def test_acceleration_is_the_derivative_of_velocity(profile: str, seed: int) -> None:
    motion = motion_of(profile, seed)
    error_g = np.abs(slope(motion.velocity_m_s) - motion.acceleration_m_s2) / GRAVITY_M_S2
    assert error_g.max() < ACC_G_PER_COUNT


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("seed", SEEDS)
def test_velocity_is_the_derivative_of_position(profile: str, seed: int) -> None:
    motion = motion_of(profile, seed)
    difference = (motion.position_m[2:] - motion.position_m[:-2]) * RATE_HZ / 2
    assert np.abs(difference - motion.velocity_m_s[1:-1]).max() < 1e-3


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_gyroscope_reads_the_derivative_of_the_orientation(profile: str, seed: int) -> None:
    motion = motion_of(profile, seed)
    to_world = rotations(motion.angles_rad)
    spin = np.swapaxes(to_world, 1, 2) @ slope(to_world)  # R^T dR/dt, skew in the body's axes
    rates = np.stack([spin[:, 2, 1], spin[:, 0, 2], spin[:, 1, 0]], axis=1)
    assert np.abs(rates - ideal_readings(motion)[:, 3:6]).max() < GYRO_RAD_S_PER_COUNT


@pytest.mark.parametrize("profile", PROFILES)
def test_a_loop_joins_up_with_itself(profile: str) -> None:
    motion = motion_of(profile)
    step = motion.position_m[0] + motion.displacement_m - motion.position_m[-1]
    assert np.abs(step * RATE_HZ - motion.velocity_m_s[-1]).max() < 0.02
    for signal in (motion.velocity_m_s, ideal_readings(motion)):
        around = np.abs(signal[0] - signal[-1])
        assert (around <= np.abs(np.diff(signal, axis=0)).max(axis=0) + 1e-6).all()


def test_the_accelerometer_at_rest_reads_one_g_upwards() -> None:
    force_g = ideal_readings(motion_of("rest"))[:, :3]
    assert np.allclose(np.linalg.norm(force_g, axis=1), 1.0, atol=1e-9)
    assert (force_g[:, 2] > 0.9).all()


def test_the_accelerometer_in_the_flight_of_a_jump_reads_nothing() -> None:
    force_g = np.linalg.norm(ideal_readings(motion_of("jump"))[:, :3], axis=1)
    assert force_g.min() < 0.01
    assert force_g.max() > 1.5


def test_the_magnetometer_reads_the_field_turned_into_the_body() -> None:
    motion = motion_of("mixed")
    field = ideal_readings(motion)[:, 6:]
    assert np.allclose(np.linalg.norm(field, axis=1), np.linalg.norm(FIELD_GAUSS))
    back = (rotations(motion.angles_rad) @ field[:, :, None])[:, :, 0]
    assert np.allclose(back, FIELD_GAUSS)


def test_quaternions_and_rotations_say_the_same() -> None:
    angles = np.random.default_rng(1).uniform(-1.2, 1.2, (50, 3))
    w, x, y, z = quaternions(angles).T
    ahead = [1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)]
    assert np.allclose(rotations(angles)[:, :, 0], np.stack(ahead, axis=1))


def test_walking_and_running_go_somewhere_and_resting_turning_and_jumping_stay() -> None:
    speed = {p: np.linalg.norm(motion_of(p).displacement_m) / LOOP_S for p in ACTIVITIES}
    assert speed["run"] > 2 * speed["walk"] > 0.5
    assert max(speed["rest"], speed["turn"], speed["jump"]) < 1e-6


def test_mixed_motion_has_every_activity() -> None:
    assert set(motion_of("mixed").activity.tolist()) == set(range(len(ACTIVITIES)))


def test_samples_are_encoded_within_half_a_count_of_the_reading() -> None:
    readings = ideal_readings(motion_of("mixed", rate_hz=200.0))
    records = encode_samples(readings, None).view(SAMPLE)[:, 0]
    scales = (ACC_G_PER_COUNT, GYRO_RAD_S_PER_COUNT, MAG_GAUSS_PER_COUNT)
    for i, (name, scale) in enumerate(zip(("acc", "gyro", "mag"), scales, strict=True)):
        error = np.abs(records[name] * scale - readings[:, 3 * i : 3 * i + 3])
        assert error.max() <= 0.501 * scale


def test_a_reading_beyond_the_range_is_saturated() -> None:
    records = encode_samples(np.array([[1e3] * 9, [-1e3] * 9]), None).view(SAMPLE)[:, 0]
    assert records["acc"].tolist() == [[32_767] * 3, [-32_768] * 3]
    assert records["mag"].tolist() == [[32_767] * 3, [-32_768] * 3]
