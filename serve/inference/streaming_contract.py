"""What a streaming model takes and gives, as the protocol describes it, and whether inputs fit."""

from typing import Any, Final, NamedTuple

import numpy as np

from pipelines.models.model_files import Model
from pipelines.models.onnx_session import INPUTS, OUTPUTS
from pipelines.settings import InferenceSettings
from serve.inference.refusal import malformed
from serve.inference.tensors import Tensor, datatype_of

PLATFORM: Final = "onnxruntime_onnx"


class TensorForm(NamedTuple):
    """Name, data type and shape of a tensor; -1: any size."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    def described(self) -> dict[str, Any]:
        """Return this as a model's metadata say it."""
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}

    def configured(self) -> dict[str, Any]:
        """Return this as a model's configuration says it."""
        return {"name": self.name, "data_type": f"TYPE_{self.datatype}", "dims": list(self.shape)}


def input_forms(model: Model) -> tuple[TensorForm, ...]:
    """Return the forms of a model's inputs: ``(time, batch, F)`` and so on."""
    state = (1, -1, model.hidden_units)
    shapes = ((-1, -1, len(model.features)), (-1,), state, state)
    datatypes = ("FP32", "INT32", "FP32", "FP32")
    return tuple(map(TensorForm, INPUTS, datatypes, shapes))


def output_forms(model: Model) -> tuple[TensorForm, ...]:
    """Return the forms of a model's outputs."""
    state = (1, -1, model.hidden_units)
    return tuple(map(TensorForm, OUTPUTS, ("FP32",) * 3, ((-1, -1, 2), state, state)))


def metadata(model: Model, versions: list[str]) -> dict[str, Any]:
    """Return the answer to `GET /v2/models/{m}`."""
    return {
        "name": model.id.name,
        "versions": versions,
        "platform": PLATFORM,
        "inputs": [form.described() for form in input_forms(model)],
        "outputs": [form.described() for form in output_forms(model)],
        "parameters": {
            "version": model.id.version,
            "sha256": model.id.sha256,
            "features": list(model.features),
            "mean": model.mean.tolist(),
            "std": model.std.tolist(),
            "sample_rate_hz": model.sample_rate_hz,
        },
    }


def configuration(model: Model, settings: InferenceSettings) -> dict[str, Any]:
    """Return the answer to `GET /v2/models/{m}/config`, in the words of Triton's ModelConfig."""
    cuda = settings.device == "cuda"
    return {
        "name": model.id.name,
        "platform": PLATFORM,
        "backend": "onnxruntime",
        "version_policy": {"specific": {"versions": [int(model.id.version)]}},
        # Batches lie along the second axis, which Triton's max_batch_size cannot say.
        "max_batch_size": 0,
        "input": [form.configured() for form in input_forms(model)],
        "output": [form.configured() for form in output_forms(model)],
        "instance_group": [
            {
                "name": f"{model.id.name}_0",
                "kind": "KIND_GPU" if cuda else "KIND_CPU",
                "count": settings.replicas,
            }
        ],
        "dynamic_batching": {
            "preferred_batch_size": [settings.max_batch],
            "max_queue_delay_microseconds": round(settings.batch_wait_ms * 1_000),
        },
        "parameters": {"sha256": {"string_value": model.id.sha256}},
    }


def check_inputs(model: Model, inputs: dict[str, Tensor]) -> None:
    """Return if these are the inputs that the model takes.

    Raises:
        RefusedError: one is missing, unknown, of another type or shape, or holds no numbers.
    """
    forms = input_forms(model)
    missing = [form.name for form in forms if form.name not in inputs]
    unknown = [name for name in inputs if name not in INPUTS]
    if missing or unknown:
        raise malformed(
            f"model {model.id.name} takes the inputs {', '.join(INPUTS)}; "
            + (f"missing: {', '.join(missing)}" if missing else f"unknown: {', '.join(unknown)}")
        )
    for form in forms:
        _check_form(form, inputs[form.name])
    time, batch, _ = inputs["features"].shape
    for name, size in (
        ("lengths", inputs["lengths"].shape[0]),
        ("hidden", inputs["hidden"].shape[1]),
        ("cell", inputs["cell"].shape[1]),
    ):
        if size != batch:
            raise malformed(f"input {name} is of {size} sequences, features of {batch}")
    if not time or not batch:
        raise malformed(f"input features of shape {[time, batch, -1]} holds no sample")
    lengths = inputs["lengths"]
    if lengths.min() < 1 or lengths.max() > time:
        raise malformed(f"input lengths must lie from 1 to {time}, the time steps of features")
    for name in ("features", "hidden", "cell"):
        if not np.isfinite(inputs[name]).all():
            raise malformed(f"input {name} holds NaN or infinity")


def _check_form(form: TensorForm, tensor: Tensor) -> None:
    if datatype_of(tensor) != form.datatype:
        raise malformed(
            f"input {form.name} is {datatype_of(tensor)}; the model takes {form.datatype}"
        )
    fits = len(tensor.shape) == len(form.shape) and all(
        wanted in (-1, size) for size, wanted in zip(tensor.shape, form.shape, strict=True)
    )
    if not fits:
        raise malformed(
            f"input {form.name} has the shape {list(tensor.shape)}; the model takes "
            f"{list(form.shape)} (-1: any size)"
        )
