"""Write the answer to an inference request: JSON, and raw tensors after it where asked for."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from pipelines.predictions import ModelId
from serve.inference.infer_request import InferRequest, WantedOutput
from serve.inference.refusal import malformed
from serve.inference.tensors import Tensor, datatype_of, to_binary, to_json


class Answer(NamedTuple):
    """A body; ``json_bytes`` of it are JSON where raw tensors follow, else None."""

    body: bytes
    json_bytes: int | None


def wanted_outputs(request: InferRequest, known: tuple[str, ...]) -> tuple[WantedOutput, ...]:
    """Return the outputs that the answer shall have.

    Raises:
        RefusedError: the request lists one that the model does not have.
    """
    if request.outputs is None:
        return tuple(WantedOutput(name, request.binary_output) for name in known)
    for one in request.outputs:
        if one.name not in known:
            raise malformed(f"output {one.name} is none of the model's; it has {', '.join(known)}")
    return request.outputs


def write_infer_response(
    model: ModelId,
    request_id: str | None,
    wanted: tuple[WantedOutput, ...],
    outputs: Mapping[str, Tensor],
) -> Answer:
    """Return the answer. JSON knows no NaN and no infinity: they become null."""
    described = []
    binary = []
    for one in wanted:
        tensor = outputs[one.name]
        about: dict[str, Any] = {
            "name": one.name,
            "datatype": datatype_of(tensor),
            "shape": list(tensor.shape),
        }
        if one.binary:
            binary.append(to_binary(tensor))
            about["parameters"] = {"binary_data_size": len(binary[-1])}
        else:
            about["data"] = to_json(tensor)
        described.append(about)
    answer: dict[str, Any] = {
        "model_name": model.name,
        "model_version": model.version,
        "parameters": {"sha256": model.sha256},
        "outputs": described,
    }
    if request_id is not None:
        answer["id"] = request_id
    text = orjson.dumps(answer)
    return Answer(b"".join([text, *binary]), len(text) if binary else None)
