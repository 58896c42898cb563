"""Clients of application `inference`, and what they ask, as the tests need them."""

from typing import Any

import numpy as np
import tritonclient.http as triton
from numpy.typing import NDArray
from serve_clients import bearer
from tritonclient._plugin import InferenceServerClientPlugin
from tritonclient._request import Request

from pipelines.models.onnx_session import OUTPUTS, open_session, run_sequences
from pipelines.settings import Settings

DATATYPES = {np.dtype(np.float32): "FP32", np.dtype(np.int32): "INT32"}
Tensors = dict[str, NDArray[Any]]


class LogIn(InferenceServerClientPlugin):  # type: ignore[misc]
    """Sends a bearer token with every request, which is what the client has plug-ins for."""

    def __init__(self, settings: Settings) -> None:
        self._headers = bearer(settings)

    def __call__(self, request: Request) -> None:
        """Add the token."""
        request.headers.update(self._headers)


def new_client(settings: Settings, concurrency: int = 1) -> triton.InferenceServerClient:
    """Return the protocol's own client, logged in."""
    client = triton.InferenceServerClient(
        f"127.0.0.1:{settings.serve.port}", concurrency=concurrency
    )
    client.register_plugin(LogIn(settings))
    return client


def as_inputs(tensors: Tensors, *, binary: bool = True) -> list[triton.InferInput]:
    """Return inputs for the client."""
    inputs = []
    for name, tensor in tensors.items():
        one = triton.InferInput(name, list(tensor.shape), DATATYPES[tensor.dtype])
        inputs.append(one.set_data_from_numpy(tensor, binary_data=binary))
    return inputs


def as_json(tensors: Tensors) -> dict[str, Any]:
    """Return a request without binary data."""
    return {
        "inputs": [
            {
                "name": name,
                "shape": list(tensor.shape),
                "datatype": DATATYPES[tensor.dtype],
                "data": tensor.tolist(),
            }
            for name, tensor in tensors.items()
        ]
    }


def expected(onnx: bytes, tensors: Tensors) -> Tensors:
    """Return what onnxruntime gives for these inputs, here and alone."""
    outputs = run_sequences(open_session(onnx), *tensors.values())
    return dict(zip(OUTPUTS, outputs, strict=True))


def require_close(result: triton.InferResult, wanted: Tensors) -> None:
    """Fail unless a result has these outputs, within float32 rounding."""
    for name, tensor in wanted.items():
        np.testing.assert_allclose(result.as_numpy(name), tensor, atol=1e-5)


def velocity_of(answer: dict[str, Any]) -> NDArray[np.float32]:
    """Return the velocities of a JSON answer, m/s."""
    (predictions,) = [one for one in answer["outputs"] if one["name"] == "predictions"]
    return np.array(predictions["data"], np.float32)[0::2]
