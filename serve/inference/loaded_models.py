"""The versions of models that one replica has loaded, side by side and warm."""

import threading
from collections import OrderedDict
from dataclasses import replace
from typing import Any

import numpy as np

from pipelines.errors import DataError
from pipelines.models.model_files import Model
from pipelines.models.onnx_session import open_session, run_sequences
from pipelines.models.store import ModelStore
from pipelines.predictions import ModelId
from pipelines.settings import InferenceSettings
from serve.inference.batches import Predicted, Sequences

_WARM_TIME = 64
_WARM_RUNS = 3


class LoadedModel:
    """One version, ready to run. It lives as long as somebody runs it, loaded or not."""

    def __init__(self, model: Model, settings: InferenceSettings) -> None:
        """Open a session and run it a few times, so that the first request waits for nothing."""
        self._session: Any = open_session(model.onnx, settings.threads, settings.device)
        self.model = replace(model, onnx=b"")
        for batch in (1, settings.max_batch):
            for _ in range(_WARM_RUNS):
                self.run(self._zeros(batch))

    @property
    def id(self) -> ModelId:
        """Return exactly which model this is."""
        return self.model.id

    def run(self, sequences: Sequences) -> Predicted:
        """Run sequences side by side."""
        return Predicted(*run_sequences(self._session, *sequences))

    def _zeros(self, batch: int) -> Sequences:
        state = np.zeros((1, batch, self.model.hidden_units), np.float32)
        features = np.zeros((_WARM_TIME, batch, len(self.model.features)), np.float32)
        return Sequences(features, np.full(batch, _WARM_TIME, np.int32), state, state)


class LoadedModels:
    """At most ``inference.max_loaded`` versions; beyond it the one not used for longest goes."""

    def __init__(self, store: ModelStore, settings: InferenceSettings) -> None:
        self._store = store
        self._settings = settings
        self._loaded: OrderedDict[tuple[str, str], LoadedModel] = OrderedDict()
        self._guard = threading.Lock()
        self._loading = threading.Lock()

    def find(self, model: ModelId) -> LoadedModel | None:
        """Return a version if it is loaded; it waits for nothing.

        Raises:
            DataError: that version has another SHA-256.
        """
        with self._guard:
            found = self._loaded.get((model.name, model.version))
            if found is None:
                return None
            self._loaded.move_to_end((model.name, model.version))
        if found.id != model:
            raise _other_sha256(found.id, model)
        return found

    def load(self, model: ModelId) -> LoadedModel:
        """Return a version, loading it from the store if need be. It takes a while: call it apart.

        Raises:
            NotFoundError: the store has no such version.
            DataError: its files are damaged, or it has another SHA-256.
            UnavailableError: the store does not answer.
        """
        with self._loading:
            found = self.find(model)
            if found is not None:
                return found
            files = self._store.load(model.name, model.version)
            if files.id != model:
                raise _other_sha256(files.id, model)
            return self._add(LoadedModel(files, self._settings))

    def load_stable(self) -> None:
        """Load the stable version of as many models as may be loaded."""
        for name in self._store.names()[: self._settings.max_loaded]:
            version = self._store.channels(name).stable
            if version is not None:
                self._add(LoadedModel(self._store.load(name, version), self._settings))

    def unload(self, name: str) -> None:
        """Forget all versions of a model; what runs them ends first."""
        with self._guard:
            for key in [key for key in self._loaded if key[0] == name]:
                del self._loaded[key]

    def _add(self, loaded: LoadedModel) -> LoadedModel:
        with self._guard:
            self._loaded[loaded.id.name, loaded.id.version] = loaded
            while len(self._loaded) > self._settings.max_loaded:
                self._loaded.popitem(last=False)
        return loaded


def _other_sha256(found: ModelId, wanted: ModelId) -> DataError:
    return DataError(
        f"model {wanted.name} {wanted.version} has the sha256 {found.sha256}, not {wanted.sha256}: "
        "a version never changes, so one of the two is of another store"
    )
