"""Run a model over sequences: what ml_inference asks for, and onnxruntime in this process."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pipelines.models.model_files import Model
from pipelines.models.onnx_session import open_session, run_sequences
from pipelines.predictions import ModelId

Float32 = NDArray[np.float32]

SESSIONS_KEPT: Final = 4
"""Models of which a session is kept; beyond it the one not used for longest goes."""


class Answer(NamedTuple):
    """What a model says of a batch of sequences.

    predictions: ``(time, batch, 2) float32`` velocity in m/s and probability of moving; what lies
                 past a sequence's length means nothing
    hidden:      ``(1, batch, H) float32`` the state after each sequence's own length
    cell:        ``(1, batch, H) float32``
    """

    predictions: Float32
    hidden: Float32
    cell: Float32


class Infer(Protocol):
    """Runs one model, to completion or not at all."""

    def __call__(
        self,
        model: ModelId,
        features: Float32,
        lengths: NDArray[np.int32],
        hidden: Float32,
        cell: Float32,
        /,
    ) -> Answer:
        """Run sequences from their states on.

        Args:
            model: exactly which one.
            features: ``(time, batch, F)``, scaled.
            lengths: ``(batch,)`` how much of each sequence counts, at least 1.
            hidden: ``(1, batch, H)`` the states before the first time step.
            cell: ``(1, batch, H)``.

        Raises:
            UnavailableError: the model cannot be run now; nothing came of it.
            DataError: the model cannot be run at all.
        """


class OnnxSequenceInference:
    """Runs models by onnxruntime in this process; any thread may call it."""

    def __init__(self, get: Callable[[ModelId], Model], threads: int = 1) -> None:
        """``get`` gives a model's files; ``threads`` is how many a session may use."""
        self._get = get
        self._threads = threads
        self._sessions: OrderedDict[ModelId, Any] = OrderedDict()
        self._guard = threading.Lock()

    def __call__(
        self,
        model: ModelId,
        features: Float32,
        lengths: NDArray[np.int32],
        hidden: Float32,
        cell: Float32,
    ) -> Answer:
        """Run sequences, as :meth:`Infer.__call__` says."""
        session = self._session(model)
        return Answer(*run_sequences(session, features, lengths, hidden, cell))

    def _session(self, model: ModelId) -> Any:
        with self._guard:
            if model not in self._sessions:
                self._sessions[model] = open_session(self._get(model).onnx, self._threads)
                while len(self._sessions) > SESSIONS_KEPT:
                    self._sessions.popitem(last=False)
            self._sessions.move_to_end(model)
            return self._sessions[model]
