"""The files of one version of a model, as the model store keeps them, and its card."""

import hashlib
import json
from pathlib import Path
from typing import Any

from cluster.training.bodies import FEATURES, RATE_HZ
from cluster.training.model_card import model_card
from cluster.training.scaling import Scaling
from pipelines.errors import ConfigurationError

DESCRIPTION = (
    "Speed of a body (m/s) and whether it moves, from one accelerometer and gyroscope, sample by "
    "sample; an LSTM trained on simulated motion."
)


def make_folder(folder: Path) -> None:
    """Make the folder before the work that is to go there.

    Raises:
        ConfigurationError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"--output {folder}: the folder cannot be made ({error.strerror}); name another"
        ) from None


def write_model(
    folder: Path, name: str, version: str, model: bytes, scaling: Scaling, facts: dict[str, Any]
) -> None:
    """Write model.onnx, scaling.json, model.json and MODEL_CARD.md into a folder that is there.

    facts: ``hidden_units``, ``sequence_length``, ``training`` and ``metrics``
    """
    described = {
        "name": name,
        "version": version,
        "features": list(FEATURES),
        "sample_rate_hz": RATE_HZ,
        "sha256": hashlib.sha256(model).hexdigest(),
        "license": "Apache-2.0",
        "description": DESCRIPTION,
        **facts,
    }
    scales = {
        "mean": [float(str(value)) for value in scaling.mean],  # the shortest that is exact
        "std": [float(str(value)) for value in scaling.std],
    }
    (folder / "model.onnx").write_bytes(model)
    _write_json(folder / "scaling.json", scales)
    _write_json(folder / "model.json", described)
    (folder / "MODEL_CARD.md").write_text(model_card(described), encoding="utf-8")


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
