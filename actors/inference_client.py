"""Models run by the replicas of the Serve application `inference`."""

import time
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from ray import serve
from ray.exceptions import RayError, RayTaskError
from ray.serve.exceptions import RayServeException

from pipelines.errors import DataError, ImustreamError, UnavailableError
from pipelines.models.sequence_inference import Answer, Float32
from pipelines.models.serving_names import APPLICATION, DEPLOYMENT
from pipelines.predictions import ModelId

RETRY_FOR_S: Final = 8.0
"""How long a call is tried again within a run: a killed replica is replaced in about 2 s. After
that the run ends, and the next one begins where nothing is committed yet."""
_RETRY_EVERY_S: Final = 0.25


class ServeInfer:
    """Runs models by Ray Serve; it waits for each answer. Ray must be initialised."""

    def __init__(self, timeout_s: float) -> None:
        """``timeout_s``: a call that takes longer failed."""
        self._timeout_s = timeout_s
        self._handle: Any = None

    def __call__(
        self,
        model: ModelId,
        features: Float32,
        lengths: NDArray[np.int32],
        hidden: Float32,
        cell: Float32,
    ) -> Answer:
        """Run sequences, as :class:`pipelines.models.sequence_inference.Infer` says."""
        return Answer(*self._call("infer_sequences", *model, features, lengths, hidden, cell))

    def load(self, model: ModelId) -> None:
        """Have a replica load and warm up a model, so that the first call waits for nothing.

        Raises:
            UnavailableError: no replica did it in time.
            DataError, NotFoundError: the store does not hold this model.
        """
        self._call("load", *model)

    def _call(self, method: str, *arguments: Any) -> Any:
        began_s = time.monotonic()
        while True:
            try:
                if self._handle is None:
                    self._handle = serve.get_deployment_handle(DEPLOYMENT, APPLICATION)
                called = getattr(self._handle, method).remote(*arguments)
                return called.result(timeout_s=self._timeout_s)
            except TimeoutError:
                self._handle = None
                raise UnavailableError(
                    f"the application `{APPLICATION}` gave no answer in {self._timeout_s:g} s; "
                    "see that its replicas run (`imustream status`)"
                ) from None
            except RayTaskError as error:
                raise _failure(error) from None
            except (RayError, RayServeException) as error:
                self._handle = None
                if time.monotonic() - began_s > RETRY_FOR_S:
                    raise UnavailableError(
                        f"the application `{APPLICATION}` cannot be called "
                        f"({_first_line(error)}); see that it runs (`imustream status`)"
                    ) from None
            time.sleep(_RETRY_EVERY_S)


def _failure(error: RayTaskError) -> ImustreamError:
    """Return what the replica raised, as an error of ours."""
    cause = error.cause
    if isinstance(cause, ImustreamError):
        return type(cause)(str(cause))
    return DataError(f"the replica could not run the model: {_first_line(cause)}")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [repr(error)])[0]
