"""Training end to end at a tiny size: the same seed, the same files; ONNX answers as JAX does."""

import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from cluster.training.extra import require_training_libraries
from cluster.training.onnx_export import export
from cluster.training.plan import Plan
from cluster.training.run import train
from cluster.training.weights import draw_weights
from pipelines.errors import ConfigurationError, ToolMissingError

pytest.importorskip("jax")
pytest.importorskip("optax")
require_training_libraries()

TINY = Plan(seed=3, hidden_units=4, bodies=8, held_out=2, lanes=4, steps=50, updates=6, loop_s=10.0)
FILES = ("model.onnx", "scaling.json", "model.json", "MODEL_CARD.md")


@pytest.mark.parametrize(("units", "seed"), [(4, 1), (32, 2)])
def test_the_onnx_model_answers_as_jax_does_for_any_lengths(units: int, seed: int) -> None:
    from cluster.training.network import forward  # noqa: PLC0415 - needs the extra

    rng = np.random.default_rng(seed)
    weights = draw_weights(8, units, rng)
    steps, lanes = 40, 4
    features = rng.normal(size=(steps, lanes, 8)).astype(np.float32)
    hidden, cell = rng.normal(size=(2, lanes, units)).astype(np.float32)
    lengths = rng.integers(1, steps + 1, lanes).astype(np.int32)
    session = ort.InferenceSession(export(weights), providers=["CPUExecutionProvider"])
    given = {"features": features, "lengths": lengths, "hidden": hidden[None], "cell": cell[None]}
    predictions, hidden_out, cell_out = session.run(None, given)
    for lane, length in enumerate(lengths.tolist()):
        state = (hidden[lane : lane + 1], cell[lane : lane + 1])
        velocity, logit, (h, c) = forward(weights, features[:length, lane : lane + 1], state)
        moving = 1 / (1 + np.exp(-np.asarray(logit, dtype=np.float64)))
        assert np.abs(predictions[:length, lane, 0] - velocity[:, 0]).max() < 1e-5
        assert np.abs(predictions[:length, lane, 1] - moving[:, 0]).max() < 1e-5
        assert np.abs(hidden_out[0, lane] - h[0]).max() < 1e-5
        assert np.abs(cell_out[0, lane] - c[0]).max() < 1e-5


def test_the_same_seed_gives_the_same_files_and_another_seed_others(tmp_path: Path) -> None:
    losses: list[float] = []
    train(TINY, tmp_path / "a", "velocity", "1", lambda step: losses.append(step.loss))
    train(TINY, tmp_path / "b", "velocity", "1")
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert losses
    other = Plan(**{**TINY.facts(), "seed": 4})  # type: ignore[arg-type]
    train(other, tmp_path / "c", "velocity", "1")
    assert (tmp_path / "a/model.onnx").read_bytes() != (tmp_path / "c/model.onnx").read_bytes()
    facts = json.loads((tmp_path / "a/model.json").read_text())
    assert facts["hidden_units"] == 4
    assert facts["sequence_length"] == 50
    assert len(facts["features"]) == 8
    card = (tmp_path / "a/MODEL_CARD.md").read_text()
    assert f"{facts['metrics']['velocity_rmse_m_s']:.3f}" in card
    assert facts["sha256"] in card


def test_missing_training_libraries_are_named_with_how_to_install_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cluster.training.extra._LIBRARIES", ("json", "jaxx"))
    said = r"training needs jaxx, which is not installed: pip install 'imustream\[train\]'"
    with pytest.raises(ToolMissingError, match=said):
        require_training_libraries()


def test_a_plan_that_cannot_be_trained_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="training option bodies: must be 8 or more"):
        Plan(bodies=3)


def test_a_folder_that_cannot_be_made_is_said_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"--output .*file/model: the folder cannot"):
        train(TINY, tmp_path / "file" / "model", "velocity", "1")
