"""The network as an ONNX model that streams: state in, state out, a length for each sequence."""

from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper

from cluster.training.bodies import Float32s
from cluster.training.weights import Weights, in_onnx_order

_OPSET: Final = 18
_IR_VERSION: Final = 10
"""Old enough for every onnxruntime of the last years; nothing newer is used."""


def export(weights: Weights) -> bytes:
    """Return the model.

    Inputs ``features`` float32 [time, batch, F] (scaled), ``lengths`` int32 [batch], ``hidden``
    and ``cell`` float32 [1, batch, H]; outputs ``predictions`` float32 [time, batch, 2] (velocity
    m/s, moving probability), ``hidden_out`` and ``cell_out``, after each sequence's own length.
    """
    units, features = weights.hidden_units, int(weights.inputs.shape[1])
    state: list[int | str] = [1, "batch", units]
    graph = helper.make_graph(
        _nodes(units),
        "velocity",
        [
            _value("features", ["time", "batch", features]),
            _value("lengths", ["batch"], TensorProto.INT32),
            _value("hidden", state),
            _value("cell", state),
        ],
        [
            _value("predictions", ["time", "batch", 2]),
            _value("hidden_out", state),
            _value("cell_out", state),
        ],
        _constants(weights),
    )
    model = helper.make_model(
        graph,
        producer_name="imustream",
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
    )
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _nodes(units: int) -> list[Any]:
    lstm = ["features", "W", "R", "B", "lengths", "hidden", "cell"]
    node = helper.make_node
    return [
        node("LSTM", lstm, ["steps", "hidden_out", "cell_out"], hidden_size=units),
        node("Squeeze", ["steps", "directions"], ["units"]),
        node("MatMul", ["units", "dense"], ["products"]),
        node("Add", ["products", "dense_bias"], ["heads"]),
        node("Split", ["heads"], ["velocity_head", "moving_head"], axis=-1, num_outputs=2),
        node("Softplus", ["velocity_head"], ["velocity"]),
        node("Sigmoid", ["moving_head"], ["moving_probability"]),
        node("Concat", ["velocity", "moving_probability"], ["predictions"], axis=-1),
    ]


def _constants(weights: Weights) -> list[Any]:
    bias = np.concatenate([in_onnx_order(weights.bias), np.zeros_like(weights.bias)])
    directions = helper.make_tensor("directions", TensorProto.INT64, [1], [1])
    return [
        _constant("W", in_onnx_order(weights.inputs)[None]),
        _constant("R", in_onnx_order(weights.recurrent)[None]),
        _constant("B", bias[None]),
        _constant("dense", weights.dense),
        _constant("dense_bias", weights.dense_bias),
        directions,
    ]


def _constant(name: str, values: Float32s) -> Any:
    raw = np.ascontiguousarray(values, dtype="<f4").tobytes()
    return helper.make_tensor(name, TensorProto.FLOAT, values.shape, raw, raw=True)


def _value(name: str, shape: list[int | str], kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)
