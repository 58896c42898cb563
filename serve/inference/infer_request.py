"""Read an inference request: JSON, and the raw tensors that may follow it in the same body."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from serve.inference.refusal import malformed
from serve.inference.tensors import Tensor, from_binary, from_json, shape_of

_MOST_TENSORS: Final = 64
_NOT_HERE: Final = ("sequence_id", "sequence_start", "sequence_end")


@dataclass(frozen=True)
class WantedOutput:
    """An output that the answer shall have, and whether as raw bytes."""

    name: str
    binary: bool


@dataclass(frozen=True)
class InferRequest:
    """What is asked.

    ``outputs`` is None where the request lists none: then the answer has all of them, each as raw
    bytes if ``binary_output``.
    """

    id: str | None
    inputs: dict[str, Tensor]
    outputs: tuple[WantedOutput, ...] | None
    binary_output: bool


def read_infer_request(body: bytes, json_bytes: int | None) -> InferRequest:
    """Return the request that a body holds.

    Args:
        body: of the request, decompressed.
        json_bytes: how much of it is JSON, where the header ``Inference-Header-Content-Length``
            says so; the rest are the raw tensors of the inputs with ``binary_data_size``, in order.

    Raises:
        RefusedError: the body is not what the protocol says.
    """
    if json_bytes is not None and json_bytes > len(body):
        raise malformed(
            f"Inference-Header-Content-Length is {json_bytes}, but the body has {len(body)} bytes"
        )
    end = len(body) if json_bytes is None else json_bytes
    whole = memoryview(body)
    request = _object(whole[:end])
    parameters = _parameters(request, "the request")
    for name in _NOT_HERE:
        if name in parameters:
            raise malformed(
                f"parameter {name} is not supported: a sequence's state is yours to keep, as the "
                "outputs hidden_out and cell_out that become the next inputs hidden and cell"
            )
    request_id = request.get("id")
    if not isinstance(request_id, str | None):
        raise malformed("id must be a string")
    return InferRequest(
        request_id,
        _inputs(_list(request, "inputs", required=True), whole[end:]),
        _outputs(request),
        _flag(parameters, "binary_data_output", "the request"),
    )


def _inputs(declared: list[dict[str, Any]], binary: memoryview) -> dict[str, Tensor]:
    inputs: dict[str, Tensor] = {}
    at = 0
    for one in declared:
        name = _name(one, "input")
        if name in inputs:
            raise malformed(f"input {name} is given twice")
        parameters = _parameters(one, f"input {name}")
        if "shared_memory_region" in parameters:
            raise malformed(f"input {name}: shared memory is not supported; send the data")
        shape = shape_of(one.get("shape"), name)
        size = parameters.get("binary_data_size")
        if size is None:
            inputs[name] = from_json(one.get("data"), one.get("datatype", ""), shape, name)
            continue
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise malformed(f"input {name}: binary_data_size must be a whole number from 0")
        if "data" in one:
            raise malformed(f"input {name} has both data and binary_data_size")
        if at + size > len(binary):
            raise malformed(
                f"input {name}: binary_data_size is {size}, but {len(binary) - at} bytes are left "
                "after the JSON; Inference-Header-Content-Length must say where the JSON ends"
            )
        inputs[name] = from_binary(binary[at : at + size], one.get("datatype", ""), shape, name)
        at += size
    if at != len(binary):
        raise malformed(f"{len(binary) - at} bytes follow the JSON that belong to no input")
    return inputs


def _outputs(request: Mapping[str, Any]) -> tuple[WantedOutput, ...] | None:
    declared = _list(request, "outputs", required=False)
    wanted = []
    for one in declared:
        name = _name(one, "output")
        parameters = _parameters(one, f"output {name}")
        if "classification" in parameters:
            raise malformed(f"output {name}: classification is not supported")
        if "shared_memory_region" in parameters:
            raise malformed(f"output {name}: shared memory is not supported")
        wanted.append(WantedOutput(name, _flag(parameters, "binary_data", f"output {name}")))
    if len({one.name for one in wanted}) != len(wanted):
        raise malformed("an output is asked for twice")
    return tuple(wanted) or None


def _object(content: memoryview) -> dict[str, Any]:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise malformed(f"the request is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise malformed("the request must be a JSON object")
    return found


def _list(request: Mapping[str, Any], field: str, *, required: bool) -> list[dict[str, Any]]:
    found = request.get(field)
    if found is None and not required:
        return []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise malformed(f"{field} must be a list of objects")
    if len(found) > _MOST_TENSORS:
        raise malformed(f"{field} has {len(found)} tensors, more than {_MOST_TENSORS}")
    return found


def _name(one: Mapping[str, Any], what: str) -> str:
    name = one.get("name")
    if not isinstance(name, str) or not name:
        raise malformed(f"an {what} has no name")
    return name


def _parameters(one: Mapping[str, Any], whose: str) -> dict[str, Any]:
    parameters = one.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise malformed(f"{whose}: parameters must be an object")
    return parameters


def _flag(parameters: Mapping[str, Any], name: str, whose: str) -> bool:
    value = parameters.get(name, False)
    if not isinstance(value, bool):
        raise malformed(f"{whose}: {name} must be true or false")
    return value
