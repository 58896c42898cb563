"""Which model ml_inference runs, and where it gets the one that its state was made by."""

from typing import Protocol

from pipelines.models.model_files import Model
from pipelines.predictions import ModelId


class ModelSource(Protocol):
    """Gives models that are ready to run."""

    def wanted(self) -> Model | None:
        """Return the model to run now; None where there is none yet. It waits for nothing."""

    def get(self, model: ModelId) -> Model:
        """Return exactly this model.

        Raises:
            UnavailableError: the store does not answer, or does not hold it.
        """
