"""Small LSTM models of the streaming contract, for the tests.

A test tells which model answered by ``velocity_bias``: models whose biases lie far apart never
give the same velocity.
"""

import json

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from pipelines.models.model_files import FACTS_FILE, ONNX_FILE, SCALING_FILE, sha256_of

FEATURES = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")
OPSET = 17


def small_onnx(
    features: int = len(FEATURES),
    hidden_units: int = 4,
    seed: int = 0,
    velocity_bias: float = 0.0,
) -> bytes:
    """Return a ``model.onnx``: one LSTM layer, a linear head, ReLU and sigmoid.

    ``velocity_bias`` (m/s) is added to the velocity: with 100 no answer is below 100, as the
    weights are small.
    """
    random = np.random.default_rng(seed)

    def weights(name: str, *shape: int) -> onnx.TensorProto:
        values = random.uniform(-0.5, 0.5, shape).astype(np.float32)
        return numpy_helper.from_array(values, name)

    head_bias = np.array([velocity_bias, 0.0], np.float32)
    units = hidden_units
    initializers = [
        weights("w", 1, 4 * units, features),
        weights("r", 1, 4 * units, units),
        weights("b", 1, 8 * units),
        weights("head", units, 2),
        numpy_helper.from_array(head_bias, "head_bias"),
        _integers("direction_axis", 1),
        _integers("column_0", 0),
        _integers("column_1", 1),
        _integers("column_2", 2),
        _integers("last_axis", 2),
    ]
    nodes = [
        helper.make_node(
            "LSTM",
            ["features", "w", "r", "b", "lengths", "hidden", "cell"],
            ["sequence", "hidden_out", "cell_out"],
            hidden_size=units,
        ),
        helper.make_node("Squeeze", ["sequence", "direction_axis"], ["steps"]),
        helper.make_node("MatMul", ["steps", "head"], ["product"]),
        helper.make_node("Add", ["product", "head_bias"], ["sum"]),
        helper.make_node("Slice", ["sum", "column_0", "column_1", "last_axis"], ["first"]),
        helper.make_node("Slice", ["sum", "column_1", "column_2", "last_axis"], ["second"]),
        helper.make_node("Relu", ["first"], ["velocity"]),
        helper.make_node("Sigmoid", ["second"], ["moving"]),
        helper.make_node("Concat", ["velocity", "moving"], ["predictions"], axis=2),
    ]
    state = [1, "batch", units]
    graph = helper.make_graph(
        nodes,
        "small",
        [
            helper.make_tensor_value_info(
                "features", TensorProto.FLOAT, ["time", "batch", features]
            ),
            helper.make_tensor_value_info("lengths", TensorProto.INT32, ["batch"]),
            helper.make_tensor_value_info("hidden", TensorProto.FLOAT, state),
            helper.make_tensor_value_info("cell", TensorProto.FLOAT, state),
        ],
        [
            helper.make_tensor_value_info("predictions", TensorProto.FLOAT, ["time", "batch", 2]),
            helper.make_tensor_value_info("hidden_out", TensorProto.FLOAT, state),
            helper.make_tensor_value_info("cell_out", TensorProto.FLOAT, state),
        ],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content


def small_model_files(
    name: str = "velocity",
    version: str = "1",
    features: tuple[str, ...] = FEATURES,
    hidden_units: int = 4,
    seed: int = 0,
    velocity_bias: float = 0.0,
) -> dict[str, bytes]:
    """Return the three files of a model, as the model store keeps them."""
    content = small_onnx(len(features), hidden_units, seed, velocity_bias)
    scaling = {"mean": [0.0] * len(features), "std": [1.0] * len(features)}
    facts = {
        "name": name,
        "version": version,
        "features": list(features),
        "sequence_length": 64,
        "hidden_units": hidden_units,
        "sample_rate_hz": 200.0,
        "sha256": sha256_of(content),
        "training": {},
        "metrics": {},
        "license": "Apache-2.0",
        "description": "A small model with random weights, for tests.",
    }
    return {
        ONNX_FILE: content,
        SCALING_FILE: json.dumps(scaling).encode(),
        FACTS_FILE: json.dumps(facts).encode(),
    }


def small_inputs(
    time: int, batch: int, features: int = len(FEATURES), hidden_units: int = 4, seed: int = 0
) -> dict[str, NDArray[np.float32] | NDArray[np.int32]]:
    """Return inputs for a small model: random features, full lengths, a state of zeros."""
    random = np.random.default_rng(seed)
    state = np.zeros((1, batch, hidden_units), np.float32)
    return {
        "features": random.normal(size=(time, batch, features)).astype(np.float32),
        "lengths": np.full(batch, time, np.int32),
        "hidden": state,
        "cell": state.copy(),
    }


def _integers(name: str, *values: int) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, np.int64), name)
