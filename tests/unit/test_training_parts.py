"""What a training run is made of: bodies, lanes, scores, strapdown integration, gate order."""

import numpy as np
import pytest

from cluster.training.bodies import FEATURES, RATE_HZ, Bodies, Split, draw_bodies
from cluster.training.lanes import Lanes
from cluster.training.mounting import MAX_TILT_RAD, draw_mounting
from cluster.training.scaling import Scaling, scaling_of
from cluster.training.scores import accuracy, auc, rmse
from cluster.training.strapdown import levelled_speed, naive_speed
from cluster.training.weights import GATES, ONNX_GATES, in_onnx_order
from simulator.motion import ACTIVITIES, GRAVITY_M_S2

LOOP_S = 10.0


@pytest.fixture(scope="module")
def bodies() -> Bodies:
    return draw_bodies(Split.HELD_OUT, 3, 5, loop_s=LOOP_S)


def test_the_same_seed_draws_the_same_bodies_and_each_split_has_its_own(bodies: Bodies) -> None:
    again = draw_bodies(Split.HELD_OUT, 3, 5, loop_s=LOOP_S)
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(bodies, again, strict=True))
    for split in (Split.TRAINING, Split.VALIDATION):
        other = draw_bodies(split, 3, 5, loop_s=LOOP_S)
        assert not np.isclose(other.speed_m_s, bodies.speed_m_s).all(axis=1).any()
    another_seed = draw_bodies(Split.HELD_OUT, 3, 6, loop_s=LOOP_S)
    assert not np.isclose(another_seed.speed_m_s, bodies.speed_m_s).all(axis=1).any()


def test_fewer_bodies_are_the_first_of_more(bodies: Bodies) -> None:
    first = draw_bodies(Split.HELD_OUT, 1, 5, loop_s=LOOP_S)
    assert np.array_equal(first.features[0], bodies.features[0])


def test_features_are_what_sensor_processing_writes(bodies: Bodies) -> None:
    assert FEATURES[6:] == ("accl_mag", "gyro_mag")
    for vector, magnitude in ((slice(0, 3), 6), (slice(3, 6), 7)):
        norm = np.linalg.norm(bodies.features[..., vector], axis=2)
        assert np.allclose(norm, bodies.features[..., magnitude], atol=1e-5)
    counts = bodies.features[..., 0] / (0.488 / 1000)
    assert np.allclose(counts, np.rint(counts), atol=0.01)


def test_a_body_moves_while_it_walks_or_runs_or_is_fast(bodies: Bodies) -> None:
    going = np.isin(bodies.activity, [ACTIVITIES.index("walk"), ACTIVITIES.index("run")])
    assert np.array_equal(bodies.moving, going | (bodies.speed_m_s > 0.2))
    assert 0.2 < bodies.moving.mean() < 0.9


def test_some_bodies_do_one_thing_throughout() -> None:
    found = draw_bodies(Split.TRAINING, 7, 0, mixed_share=0.3, loop_s=LOOP_S)
    kinds = [len(np.unique(activity)) for activity in found.activity]
    assert kinds == [5, 5, 1, 1, 1, 1, 1]


def test_a_mounting_turns_readings_and_leans_no_further_than_its_bound() -> None:
    rng = np.random.default_rng(1)
    for _ in range(200):
        mounting = draw_mounting(rng)
        assert np.allclose(mounting.to_body @ mounting.to_body.T, np.eye(3))
        assert np.linalg.det(mounting.to_body) == pytest.approx(1)
        assert mounting.to_body[2, 2] >= np.cos(MAX_TILT_RAD) - 1e-9
        readings = rng.normal(size=(5, 9))
        bias = np.concatenate([mounting.acc_bias_g, mounting.gyro_bias_rad_s, np.zeros(3)])
        back = (mounting.read(readings) - bias).reshape(-1, 3, 3) @ mounting.to_body.T
        assert np.allclose(back.reshape(-1, 9), readings)


def test_lanes_go_on_where_they_were_and_say_when_they_do_not(bodies: Bodies) -> None:
    count, length = bodies.speed_m_s.shape
    number = np.arange(count * length, dtype=np.float32).reshape(count, length)
    numbered = bodies._replace(features=np.repeat(number[..., None], 8, axis=2), speed_m_s=number)
    as_it_is = Scaling(np.zeros(8, np.float32), np.ones(8, np.float32))
    lanes = Lanes(numbered, as_it_is, 6, 50, 0.3, np.random.default_rng(2))
    after = np.roll(number, -1, axis=1).ravel().astype(np.int64)
    last = np.full(6, -1)
    changed = 0
    for chunk in (lanes.next() for _ in range(60)):
        steps = chunk.features[..., 0].astype(np.int64)
        assert np.array_equal(chunk.speed_m_s, steps)
        assert np.array_equal(after[steps[:-1]], steps[1:])
        assert (chunk.fresh | (after[last] == steps[0])).all()
        changed += int(chunk.fresh.sum())
        last = steps[-1]
    assert 60 < changed < 160


def test_scaled_features_have_mean_0_and_deviation_1(bodies: Bodies) -> None:
    scaled = scaling_of(bodies.features).apply(bodies.features).reshape(-1, 8)
    assert scaled.dtype == np.float32
    assert np.abs(scaled.mean(axis=0)).max() < 1e-3
    assert np.abs(scaled.std(axis=0) - 1).max() < 1e-3


def perfect(bodies: Bodies, turn_rad_s: float = 0.0) -> Bodies:
    """One body that rests for 1 s, speeds up by 0.5 m/s2 for 2 s, and turns all the while."""
    count = round(4 * RATE_HZ)
    time_s = np.arange(count) / RATE_HZ
    push = np.where((time_s >= 1) & (time_s < 3), 0.5, 0.0)
    angle = turn_rad_s * time_s
    features = np.zeros((1, count, 8), dtype=np.float32)
    features[0, :, 0] = np.cos(angle) * push / GRAVITY_M_S2
    features[0, :, 1] = -np.sin(angle) * push / GRAVITY_M_S2
    features[0, :, 2] = 1
    features[0, :, 5] = turn_rad_s
    speed = np.clip(time_s - 1, 0, 2)[None].astype(np.float32) * 0.5
    return bodies._replace(features=features, speed_m_s=speed, attitude=np.eye(3)[None])


@pytest.mark.parametrize("turn_rad_s", [0.0, 1.5])
def test_strapdown_of_perfect_readings_is_the_true_speed(bodies: Bodies, turn_rad_s: float) -> None:
    body = perfect(bodies, turn_rad_s)
    assert np.abs(naive_speed(body, RATE_HZ) - body.speed_m_s).max() < 0.01


def test_strapdown_levels_itself_and_takes_off_what_it_measured_at_rest(bodies: Bodies) -> None:
    body = perfect(bodies)
    mounting = draw_mounting(np.random.default_rng(3))
    features = body.features.astype(np.float64)
    features[0, :, :3] = features[0, :, :3] @ mounting.to_body
    features[0, :, 3:6] += mounting.gyro_bias_rad_s
    crooked = body._replace(features=features.astype(np.float32))
    assert np.abs(levelled_speed(crooked, RATE_HZ) - body.speed_m_s).max() < 0.02
    assert np.abs(naive_speed(crooked, RATE_HZ) - body.speed_m_s).max() > 0.2


def test_strapdown_follows_a_simulated_body_for_seconds() -> None:
    body = draw_bodies(Split.HELD_OUT, 4, 1, loop_s=LOOP_S)
    first = slice(0, round(3 * RATE_HZ))
    assert rmse(levelled_speed(body, RATE_HZ)[:, first], body.speed_m_s[:, first]) < 0.5


def test_scores_are_what_their_names_say() -> None:
    found, true = np.array([1, 2, 5], np.float32), np.array([1, 2, 2], np.float32)
    assert rmse(found, true) == pytest.approx(np.sqrt(3))
    likely = np.array([0.9, 0.2, 0.6, 0.1], np.float32)
    moving = np.array([True, False, False, False])
    assert accuracy(likely, moving) == 0.75
    assert auc(likely, moving) == 1.0
    assert auc(-likely, moving) == 0.0
    assert auc(np.zeros(4, np.float32), moving) == 0.5
    assert np.isnan(auc(likely, np.ones(4, np.bool_)))


def test_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    rng = np.random.default_rng(4)
    likely = np.round(rng.random(60), 1).astype(np.float32)
    moving = rng.random(60) < 0.4
    pairs = likely[moving][:, None] - likely[~moving][None]
    assert auc(likely, moving) == pytest.approx(((pairs > 0) + (pairs == 0) / 2).mean())


def test_gates_are_put_in_the_order_of_onnx() -> None:
    rows = np.repeat(np.arange(4, dtype=np.float32), 3)
    ordered = in_onnx_order(rows).reshape(4, 3)
    assert [GATES[int(gate[0])] for gate in ordered] == [*ONNX_GATES]
    matrix = np.arange(24, dtype=np.float32).reshape(12, 2)
    assert in_onnx_order(matrix).tolist() == [
        *matrix[0:3].tolist(),
        *matrix[9:12].tolist(),
        *matrix[3:6].tolist(),
        *matrix[6:9].tolist(),
    ]
