"""Requests and answers of the Open Inference Protocol, and what is wrong with bad ones."""

import contextlib
import json
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.predictions import ModelId
from serve.inference.infer_request import InferRequest, WantedOutput, read_infer_request
from serve.inference.infer_response import wanted_outputs, write_infer_response
from serve.inference.refusal import RefusedError

MODEL = ModelId("velocity", "3", "ab")
X = np.array([[1.5, -2.0]], np.float32)
JSON_X = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1.5, -2.0]}
RAW_X = {"name": "x", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8}}


def request(*inputs: Any, **fields: Any) -> bytes:
    return orjson.dumps({"inputs": list(inputs), **fields})


def test_json_and_raw_tensors_may_stand_in_one_request() -> None:
    text = request(RAW_X, {**JSON_X, "name": "y"}, {**RAW_X, "name": "z"})
    other = X * 2
    found = read_infer_request(text + X.tobytes() + other.tobytes(), len(text))
    np.testing.assert_array_equal(found.inputs["x"], X)
    np.testing.assert_array_equal(found.inputs["y"], X)
    np.testing.assert_array_equal(found.inputs["z"], other)


def test_outputs_say_each_for_itself_whether_they_come_as_raw_bytes() -> None:
    outputs = [{"name": "a", "parameters": {"binary_data": True}}, {"name": "b"}]
    found = read_infer_request(request(JSON_X, outputs=outputs, id="7"), None)
    assert found.id == "7"
    assert found.outputs == (WantedOutput("a", True), WantedOutput("b", False))


@pytest.mark.parametrize("binary", [True, False])
def test_without_outputs_all_come_and_one_parameter_says_how(binary: bool) -> None:
    body = request(JSON_X, parameters={"binary_data_output": binary})
    found = read_infer_request(body, None)
    assert wanted_outputs(found, ("a", "b")) == (
        WantedOutput("a", binary),
        WantedOutput("b", binary),
    )


def test_an_output_that_the_model_does_not_have_is_refused() -> None:
    asked = InferRequest(None, {}, (WantedOutput("c", False),), False)
    with pytest.raises(RefusedError, match="output c is none of the model's; it has a, b"):
        wanted_outputs(asked, ("a", "b"))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"[]", "JSON object"),
        (b'{"inputs": 1}', "inputs must be a list"),
        (b"{}", "inputs must be a list"),
        (request({}), "an input has no name"),
        (request(JSON_X, JSON_X), "given twice"),
        (request({**JSON_X, "parameters": []}), "parameters must be an object"),
        (request({**JSON_X, "parameters": {"shared_memory_region": "r"}}), "shared memory"),
        (request({**RAW_X, "data": [1, 2]}), "both data and binary_data_size"),
        (request(RAW_X), "0 bytes are left"),
        (request({**RAW_X, "parameters": {"binary_data_size": -8}}), "whole number"),
        (request(JSON_X, id=7), "id must be a string"),
        (request(JSON_X, parameters={"sequence_id": 1}), "sequence_id is not supported"),
        (request(JSON_X, parameters={"binary_data_output": 1}), "true or false"),
        (request(JSON_X, outputs=[{"name": "a"}] * 2), "asked for twice"),
        (
            request(JSON_X, outputs=[{"name": "a", "parameters": {"classification": 1}}]),
            "classification",
        ),
        (request(*[{**JSON_X, "name": str(k)} for k in range(65)]), "more than 64"),
    ],
)
def test_what_is_wrong_with_a_request_is_said(body: bytes, message: str) -> None:
    with pytest.raises(RefusedError, match=message) as caught:
        read_infer_request(body, None)
    assert caught.value.status == 400


def test_bytes_that_belong_to_no_input_are_refused() -> None:
    text = request(RAW_X)
    with pytest.raises(RefusedError, match="1 bytes follow the JSON"):
        read_infer_request(text + X.tobytes() + b"x", len(text))
    with pytest.raises(RefusedError, match="but the body has"):
        read_infer_request(text, len(text) + 1)


@given(st.binary(max_size=200), st.none() | st.integers(0, 200))
def test_no_body_whatever_raises_anything_but_a_refusal(
    body: bytes, json_bytes: int | None
) -> None:
    with contextlib.suppress(RefusedError):
        read_infer_request(body, json_bytes)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
FIELDS = st.sampled_from(["name", "shape", "datatype", "data", "parameters"])


@given(
    st.lists(st.dictionaries(FIELDS, JSON | st.just("FP32") | st.just([1, 2])), max_size=3), JSON
)
def test_no_request_whatever_raises_anything_but_a_refusal(
    inputs: list[dict[str, Any]], outputs: Any
) -> None:
    body = json.dumps({"inputs": inputs, "outputs": outputs}).encode()
    with contextlib.suppress(RefusedError):
        read_infer_request(body, None)


@given(st.lists(st.booleans(), min_size=1, max_size=3))
def test_an_answer_holds_raw_tensors_in_the_order_of_its_outputs(binary: list[bool]) -> None:
    wanted = tuple(WantedOutput(str(place), flag) for place, flag in enumerate(binary))
    outputs = {one.name: X * (place + 1) for place, one in enumerate(wanted)}
    answer = write_infer_response(MODEL, "id", wanted, outputs)
    assert (answer.json_bytes is None) == (not any(binary))
    text = orjson.loads(answer.body[: answer.json_bytes])
    assert (text["id"], text["model_name"], text["model_version"]) == ("id", "velocity", "3")
    at = len(answer.body) if answer.json_bytes is None else answer.json_bytes
    for one, described in zip(wanted, text["outputs"], strict=True):
        assert described["shape"] == [1, 2]
        if one.binary:
            size = described["parameters"]["binary_data_size"]
            assert answer.body[at : at + size] == outputs[one.name].tobytes()
            at += size
        else:
            assert described["data"] == outputs[one.name].ravel().tolist()
    assert at == len(answer.body)
