"""The model store as the API shows it; what a version says of itself is read once."""

import json
import threading
from collections import OrderedDict
from dataclasses import asdict
from typing import Any

from pipelines.errors import DataError, NotFoundError
from pipelines.models.channels import Channels
from pipelines.models.names import is_name
from pipelines.models.promotion import promote, roll_back
from pipelines.models.store import ModelStore
from serve.etags import names, tag_of

_MOST_VERSIONS_KEPT = 512
_OF_A_VERSION = ("sha256", "description", "metrics", "training")


class ChangedError(Exception):
    """The model is not as whoever asks has seen it; nothing was changed."""


class ModelReader:
    """Asks the store: not for an event loop. Any thread may ask."""

    def __init__(self, store: ModelStore) -> None:
        self._store = store
        self._facts: OrderedDict[tuple[str, str], dict[str, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def models(self) -> list[dict[str, Any]]:
        """Return all models in the order of their names; raises UnavailableError."""
        return [self.model(name) for name in self._store.names()]

    def model(self, name: str) -> dict[str, Any]:
        """Return a model: its channels, and its versions, the oldest first.

        Raises:
            NotFoundError: there is none of this name.
            UnavailableError: the store is away.
        """
        versions = self._store.versions(name) if is_name(name) else []
        if not versions:
            raise NotFoundError(f"There is no model {name!r}.")
        return {
            "name": name,
            **asdict(self._store.channels(name)),
            "versions": [self._version(name, version) for version in versions],
        }

    def promote(self, name: str, version: str, if_match: str | None) -> dict[str, Any]:
        """Make a version the stable one and return the model.

        Raises:
            ChangedError: its tag is not one of ``if_match``.
            NotFoundError, DataError, ConflictError: as :func:`pipelines.models.promotion.promote`.
        """
        promote(self._store, name, version, "stable", self._seen(name, if_match))
        return self.model(name)

    def roll_back(self, name: str, if_match: str | None) -> dict[str, Any]:
        """Make the version stable that was stable before; raises as :meth:`promote`."""
        roll_back(self._store, name, self._seen(name, if_match))
        return self.model(name)

    def _seen(self, name: str, if_match: str | None) -> Channels:
        """Return the channels of a model that is as whoever asks has seen it."""
        model = self.model(name)
        if if_match is not None and not names(if_match, tag_of_model(model)):
            raise ChangedError
        return Channels(model["stable"], model["candidate"], model["previous"])

    def _version(self, name: str, version: str) -> dict[str, Any]:
        with self._lock:
            known = self._facts.get((name, version))
        if known is None:
            known = self._read(name, version)
            with self._lock:
                self._facts[name, version] = known
                while len(self._facts) > _MOST_VERSIONS_KEPT:
                    self._facts.popitem(last=False)
        return known

    def _read(self, name: str, version: str) -> dict[str, Any]:
        try:
            facts, fault = self._store.load(name, version).facts, None
        except DataError as error:
            facts, fault = {}, str(error)
        said = {field: facts.get(field) for field in _OF_A_VERSION}
        metrics = said["metrics"] if isinstance(said["metrics"], dict) else {}
        training = said["training"] if isinstance(said["training"], dict) else {}
        return {
            "version": version,
            "sha256": _text(said["sha256"]),
            "description": _text(said["description"]),
            "metrics": {
                key: value for key, value in metrics.items() if isinstance(value, int | float)
            },
            "training": training,
            "fault": fault,
        }


def tag_of_model(model: dict[str, Any]) -> str:
    """Return the entity tag of a model, which changes with its channels and its versions."""
    return tag_of(json.dumps(model, sort_keys=True).encode())


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
