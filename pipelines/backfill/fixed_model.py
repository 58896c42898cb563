"""The one model of a backfill: chosen when it is planned, the same to its end."""

from typing import NamedTuple

from pipelines.errors import ConfigurationError, UnavailableError
from pipelines.models.model_files import Model
from pipelines.models.store import ModelStore
from pipelines.predictions import ModelId


class FixedModel(NamedTuple):
    """A :class:`pipelines.models.model_source.ModelSource` of one model."""

    model: Model

    def wanted(self) -> Model:
        """Return it."""
        return self.model

    def get(self, model: ModelId) -> Model:
        """Return it; raises UnavailableError for another."""
        if model != self.model.id:
            raise UnavailableError(f"this backfill runs {self.model.id}, not {model}")
        return self.model


def choose_model(store: ModelStore, name: str, asked: str | None) -> ModelId:
    """Return the model named ``NAME@VERSION``, or else the stable version of ``name``.

    Raises:
        ConfigurationError: it is written otherwise, or nothing is stable.
        NotFoundError: the store has no such version.
    """
    if asked is None:
        version = store.channels(name).stable
        if version is None:
            raise ConfigurationError(
                f"model {name} has no stable version; name one: --model {name}@VERSION"
            )
    else:
        name, _, version = asked.partition("@")
        if not name or not version:
            raise ConfigurationError(f"--model {asked!r}: write it as NAME@VERSION")
    return store.load(name, version).id
