"""Whether a model may enter the store: it must load, have the right tensors, and give numbers."""

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto

from pipelines.errors import DataError
from pipelines.models.model_files import Model
from pipelines.models.onnx_session import INPUTS, OUTPUTS, open_session, run_sequences
from pipelines.transformed import AXES, MAGNITUDES

FEATURE_COLUMNS = (*AXES, *MAGNITUDES, "temp_raw")
"""The readings of sensor-data-transformed, which a model may be given."""

_INVALID = (DecodeError, onnx.checker.ValidationError, onnx.shape_inference.InferenceError)
_SMOKE_TIME = 7
_SMOKE_LENGTHS = (7, 4, 1)
"""Sequences of different lengths: a model that ignores ``lengths`` is found out."""
_VELOCITY_AND_PROBABILITY = 2
_TOLERANCE = 1e-4

_Shape = tuple[int | None, ...]


def validate(model: Model) -> None:
    """Return if the model can serve.

    Raises:
        DataError: it cannot; the message says what is wrong and what it should be.
    """
    _check_features(model)
    _check_tensors(model)
    _check_answers(model)


def _check_features(model: Model) -> None:
    for index, feature in enumerate(model.features):
        if feature not in FEATURE_COLUMNS:
            raise DataError(
                f"model.json: $.features[{index}] is {feature!r}, which is no reading in "
                f"sensor-data-transformed; choose of {', '.join(FEATURE_COLUMNS)}"
            )
    if len(set(model.features)) != len(model.features):
        raise DataError("model.json: $.features names a column twice")


def _check_tensors(model: Model) -> None:
    parsed = _parsed(model.onnx)
    weights = {one.name for one in parsed.graph.initializer}
    inputs = [one for one in parsed.graph.input if one.name not in weights]
    features, units = len(model.features), model.hidden_units
    state: _Shape = (1, None, units)
    expected_inputs: list[tuple[int, _Shape]] = [
        (TensorProto.FLOAT, (None, None, features)),
        (TensorProto.INT32, (None,)),
        (TensorProto.FLOAT, state),
        (TensorProto.FLOAT, state),
    ]
    expected_outputs: list[tuple[int, _Shape]] = [
        (TensorProto.FLOAT, (None, None, _VELOCITY_AND_PROBABILITY)),
        (TensorProto.FLOAT, state),
        (TensorProto.FLOAT, state),
    ]
    _check_side("input", inputs, dict(zip(INPUTS, expected_inputs, strict=True)))
    _check_side("output", parsed.graph.output, dict(zip(OUTPUTS, expected_outputs, strict=True)))


def _parsed(content: bytes) -> onnx.ModelProto:
    try:
        parsed = onnx.load_model_from_string(content)
        constants = (one.t for node in parsed.graph.node for one in node.attribute)
        tensors = (*parsed.graph.initializer, *constants)
        if any(tensor.data_location == TensorProto.EXTERNAL for tensor in tensors):
            # onnxruntime would look for them wherever a process happens to run.
            raise DataError("model.onnx keeps weights in other files; save it with all data inside")
        onnx.checker.check_model(parsed, full_check=True)
    except (
        DecodeError,
        onnx.checker.ValidationError,
        onnx.shape_inference.InferenceError,
    ) as error:
        raise DataError(f"model.onnx is no valid ONNX model: {error}") from None
    return parsed


def _check_side(
    side: str, found: list[onnx.ValueInfoProto], expected: dict[str, tuple[int, _Shape]]
) -> None:
    names = [one.name for one in found]
    if sorted(names) != sorted(expected):
        raise DataError(
            f"model.onnx has the {side}s {', '.join(names)}; a streaming model has "
            f"{', '.join(expected)}"
        )
    for one in found:
        element, shape = expected[one.name]
        tensor = one.type.tensor_type
        if tensor.elem_type != element:
            raise DataError(
                f"model.onnx: {side} {one.name} is {TensorProto.DataType.Name(tensor.elem_type)}; "
                f"it must be {TensorProto.DataType.Name(element)}"
            )
        dimensions = list(tensor.shape.dim)
        fits = len(dimensions) == len(shape) and all(
            _fits(dimension, wanted) for dimension, wanted in zip(dimensions, shape, strict=True)
        )
        if not fits:
            raise DataError(
                f"model.onnx: {side} {one.name} has the shape {_shape_text(dimensions)}; it must "
                f"be [{', '.join('any' if size is None else str(size) for size in shape)}]"
            )


def _fits(dimension: onnx.TensorShapeProto.Dimension, wanted: int | None) -> bool:
    """Whether a dimension can be ``wanted``; None: it must leave the size open."""
    if not dimension.HasField("dim_value"):
        return True
    return wanted is not None and dimension.dim_value == wanted


def _shape_text(dimensions: list[onnx.TensorShapeProto.Dimension]) -> str:
    sizes = [
        str(one.dim_value) if one.HasField("dim_value") else one.dim_param or "any"
        for one in dimensions
    ]
    return f"[{', '.join(sizes)}]"


def _check_answers(model: Model) -> None:
    """Run the model: numbers come, in their ranges, and each sequence ends at its own length."""
    session = open_session(model.onnx)
    random = np.random.default_rng(0)
    batch, units = len(_SMOKE_LENGTHS), model.hidden_units
    features = random.normal(size=(_SMOKE_TIME, batch, len(model.features))).astype(np.float32)
    lengths = np.array(_SMOKE_LENGTHS, np.int32)
    state = np.zeros((1, batch, units), np.float32)
    try:
        outputs = run_sequences(session, features, lengths, state, state)
    except Exception as error:  # onnxruntime's own exceptions share no other base.
        raise DataError(f"model.onnx fails when it is run: {error}") from None
    shapes = ((_SMOKE_TIME, batch, _VELOCITY_AND_PROBABILITY), (1, batch, units), (1, batch, units))
    for name, output, shape in zip(OUTPUTS, outputs, shapes, strict=True):
        if output.shape != shape:
            raise DataError(f"model.onnx gives {name} of shape {output.shape}, not {shape}")
    for index, length in enumerate(_SMOKE_LENGTHS):
        alone = run_sequences(
            session,
            features[:length, index : index + 1],
            lengths[index : index + 1],
            state[:, :1],
            state[:, :1],
        )
        predictions = outputs[0][:length, index]
        if not np.isfinite(predictions).all() or not all(np.isfinite(one).all() for one in alone):
            raise DataError("model.onnx gives NaN or infinity for ordinary inputs")
        if (predictions[:, 0] < 0).any():
            raise DataError("model.onnx gives a velocity below 0 m/s")
        if (predictions[:, 1] < 0).any() or (predictions[:, 1] > 1).any():
            raise DataError("model.onnx gives a moving probability outside of 0 to 1")
        same = np.allclose(predictions, alone[0][:, 0], atol=_TOLERANCE) and all(
            np.allclose(together[:, index], one[:, 0], atol=_TOLERANCE)
            for together, one in zip(outputs[1:], alone[1:], strict=True)
        )
        if not same:
            raise DataError(
                "model.onnx gives a sequence another answer in a batch than alone: its LSTM must "
                "take `lengths` as sequence_lens, and each sequence stand for itself"
            )
