"""What a model says of a sensor's samples in order, by onnxruntime alone."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime

from pipelines.errors import DataError, NotFoundError
from pipelines.models.model_files import Model
from pipelines.models.store import ModelStore
from pipelines.predictions import ModelId

TOLERANCE: Final = 1e-3
"""Of velocity (m/s, or its share where it is above 1) and probability. The sums of float32 are made
in another order in another batch, and a recurrent model carries the difference on."""

_Float32 = npt.NDArray[np.float32]


class OfflineModels:
    """The models of a store, by who made a prediction."""

    def __init__(self, store: ModelStore) -> None:
        self._store = store
        self._models: dict[ModelId, tuple[Model, Any] | None] = {}

    def get(self, model: ModelId) -> tuple[Model, Any] | None:
        """Return a model and its session; None where the store has not this very model.

        Raises:
            UnavailableError: the store does not answer.
        """
        if model not in self._models:
            self._models[model] = self._open(model)
        return self._models[model]

    def _open(self, model: ModelId) -> tuple[Model, Any] | None:
        try:
            found = self._store.load(model.name, model.version)
        except (NotFoundError, DataError):
            return None
        if found.id != model:
            return None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        providers = ["CPUExecutionProvider"]
        return found, onnxruntime.InferenceSession(found.onnx, options, providers=providers)


@dataclass
class SensorModel:
    """The state of one sensor; None where it is not known."""

    hidden: _Float32 | None = None
    cell: _Float32 | None = None

    def begin(self, model: Model) -> None:
        """Begin at zero."""
        self.hidden = np.zeros((1, 1, model.hidden_units), np.float32)
        self.cell = np.zeros_like(self.hidden)

    def run(self, model: Model, session: Any, raw: _Float32) -> npt.NDArray[np.float64]:
        """Return ``(rows, 2)`` of a sensor's next rows, given as measured; the state is known."""
        scaled = ((raw - model.mean) / model.std).astype(np.float32)
        feeds = {
            "features": scaled[:, np.newaxis],
            "lengths": np.array([len(raw)], np.int32),
            "hidden": self.hidden,
            "cell": self.cell,
        }
        names = ["predictions", "hidden_out", "cell_out"]
        said, self.hidden, self.cell = session.run(names, feeds)
        return np.asarray(said[:, 0], np.float64)


def differing(
    said: npt.NDArray[np.float64], published: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """Say which rows of ``(rows, 2)`` predictions differ by more than `TOLERANCE`."""
    allowed = TOLERANCE * np.maximum(1.0, np.abs(said))
    return np.asarray(~(np.abs(said - published) <= allowed).all(axis=1))
