"""The model that ships is what its card says: files, figures on bodies it never saw, no drift."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

import pipelines
from cluster.training.bodies import FEATURES, RATE_HZ, Bodies, Split, draw_bodies
from cluster.training.model_card import model_card
from cluster.training.scaling import Scaling
from cluster.training.scores import auc, rmse
from cluster.training.strapdown import levelled_speed, naive_speed
from cluster.training.streaming import stream
from pipelines.transformed import SCHEMA

FOLDER = Path(pipelines.__file__).parent / "models" / "shipped" / "velocity" / "1"
BODIES = 8
"""A quarter of the held-out bodies: enough for the card's figure within a tenth or so."""


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    return dict(json.loads((FOLDER / "model.json").read_text()))


@pytest.fixture(scope="module")
def model() -> bytes:
    return (FOLDER / "model.onnx").read_bytes()


@pytest.fixture(scope="module")
def scaling() -> Scaling:
    values = json.loads((FOLDER / "scaling.json").read_text())
    return Scaling(np.float32(values["mean"]), np.float32(values["std"]))


@pytest.fixture(scope="module")
def bodies(facts: dict[str, Any]) -> Bodies:
    return draw_bodies(Split.HELD_OUT, BODIES, facts["training"]["seed"])


@pytest.fixture(scope="module")
def predictions(model: bytes, scaling: Scaling, bodies: Bodies) -> np.ndarray:
    return stream(model, scaling.apply(bodies.features))


def test_its_files_agree_with_each_other(facts: dict[str, Any], model: bytes) -> None:
    assert hashlib.sha256(model).hexdigest() == facts["sha256"]
    assert (facts["name"], facts["version"]) == ("velocity", "1")
    assert facts["features"] == list(FEATURES)
    assert set(facts["features"]) <= set(SCHEMA.names)
    assert (facts["license"], facts["sample_rate_hz"]) == ("Apache-2.0", RATE_HZ)
    assert model_card(facts) == (FOLDER / "MODEL_CARD.md").read_text()


def test_its_inputs_and_outputs_are_those_of_a_streaming_model(
    facts: dict[str, Any], model: bytes
) -> None:
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    units = facts["hidden_units"]
    state = [1, "batch", units]
    assert {put.name: (put.type, put.shape) for put in session.get_inputs()} == {
        "features": ("tensor(float)", ["time", "batch", len(FEATURES)]),
        "lengths": ("tensor(int32)", ["batch"]),
        "hidden": ("tensor(float)", state),
        "cell": ("tensor(float)", state),
    }
    assert {put.name: put.shape for put in session.get_outputs()} == {
        "predictions": ["time", "batch", 2],
        "hidden_out": state,
        "cell_out": state,
    }


def test_it_is_as_good_as_its_card_says_and_clearly_better_than_simpler_answers(
    facts: dict[str, Any], bodies: Bodies, predictions: np.ndarray
) -> None:
    metrics, true = facts["metrics"], bodies.speed_m_s
    found = rmse(predictions[..., 0], true)
    assert found == pytest.approx(metrics["velocity_rmse_m_s"], rel=0.3)
    mean = facts["training"]["mean_speed_m_s"]
    simpler = {
        "zero": rmse(np.zeros_like(true), true),
        "mean": rmse(np.full_like(true, mean), true),
        "naive strapdown": rmse(naive_speed(bodies, RATE_HZ), true),
        "levelled strapdown": rmse(levelled_speed(bodies, RATE_HZ), true),
    }
    assert all(found < other / 3 for other in simpler.values()), (found, simpler)
    assert auc(predictions[..., 1], bodies.moving) > 0.99
    assert (predictions[..., 0] >= 0).all()


def test_ten_minutes_without_a_reset_do_not_make_it_drift(
    model: bytes, scaling: Scaling, bodies: Bodies
) -> None:
    few = scaling.apply(bodies.features[:4])
    minute = few.shape[1]
    found = stream(model, np.tile(few, (1, 10, 1)))[..., 0]
    first = rmse(found[:, :minute], bodies.speed_m_s[:4])
    last = rmse(found[:, -minute:], bodies.speed_m_s[:4])
    assert last < 1.15 * first + 0.01


def test_at_rest_it_says_so_for_ten_minutes(model: bytes, scaling: Scaling) -> None:
    at_rest = np.tile(np.float32([0, 0, 1, 0, 0, 0, 1, 0]), (1, round(600 * RATE_HZ), 1))
    found = stream(model, scaling.apply(at_rest))[0, 400:]
    assert found[:, 0].max() < 0.1
    assert found[:, 1].max() < 0.5


def test_the_state_makes_the_same_of_a_sequence_however_it_is_cut(
    model: bytes, scaling: Scaling, bodies: Bodies
) -> None:
    scaled = scaling.apply(bodies.features[:2, :1_000])
    whole = stream(model, scaled, chunk=1_000)
    for chunk in (1, 7, 64):
        assert np.abs(stream(model, scaled, chunk) - whole).max() < 1e-4
