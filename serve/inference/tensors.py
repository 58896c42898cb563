"""Tensors on the wire: their data types, as JSON numbers and as raw bytes.

The formats are those of the Open Inference Protocol v2, "Tensor Data", and of Triton's binary
tensor data extension: row-major, little-endian, without padding.
"""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from serve.inference.refusal import malformed

Tensor = NDArray[Any]

_DTYPES: Final[dict[str, np.dtype[Any]]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype("u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
_DATATYPES: Final = {dtype: name for name, dtype in _DTYPES.items()}
_MOST_DIMENSIONS: Final = 8


def datatype_of(tensor: Tensor) -> str:
    """Return the protocol's name of a tensor's type, such as ``FP32``."""
    return _DATATYPES[tensor.dtype.newbyteorder("<")]


def shape_of(declared: Any, name: str) -> tuple[int, ...]:
    """Return a shape that a request declares.

    Raises:
        RefusedError: it is no list of whole numbers from 0.
    """
    if not isinstance(declared, list) or len(declared) > _MOST_DIMENSIONS:
        raise malformed(f"input {name}: shape must be a list of at most {_MOST_DIMENSIONS} sizes")
    for size in declared:
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise malformed(f"input {name}: {size!r} in shape is no whole number from 0")
    return tuple(declared)


def from_binary(
    content: bytes | memoryview, datatype: str, shape: Sequence[int], name: str
) -> Tensor:
    """Return the tensor that raw bytes hold; it shares their memory where they are aligned.

    Raises:
        RefusedError: the type is not known, or the bytes are too many or too few for the shape.
    """
    dtype = _dtype(datatype, name)
    expected = math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        raise malformed(
            f"input {name}: {len(content)} bytes of binary data, but shape "
            f"{list(shape)} of {datatype} takes {expected}"
        )
    return np.require(np.frombuffer(content, dtype), requirements="A").reshape(shape)


def from_json(data: Any, datatype: str, shape: Sequence[int], name: str) -> Tensor:
    """Return the tensor that JSON numbers hold, flat or nested as the shape is.

    Raises:
        RefusedError: the type is not known, the numbers are too many or too few for the shape, or
            one of them is no number of that type.
    """
    dtype = _dtype(datatype, name)
    if not isinstance(data, list):
        raise malformed(f"input {name}: data must be a list of numbers")
    if not data:
        found: Tensor = np.empty(0, dtype)
    else:
        try:
            found = np.asarray(data)
            if dtype == _DTYPES["UINT64"] and found.dtype.kind == "f":
                # What numpy makes of whole numbers on both sides of 2^63, and of fractions.
                found = _whole_numbers(data, found)
        except ValueError:
            raise malformed(f"input {name}: data is nested unevenly") from None
    if found.shape not in {(math.prod(shape),), tuple(shape)}:
        raise malformed(
            f"input {name}: data has the shape {list(found.shape)}, neither flat nor {list(shape)}"
        )
    return _converted(found, dtype, datatype, name).reshape(shape)


def to_json(tensor: Tensor) -> list[Any]:
    """Return the numbers of a tensor, flat and row-major."""
    flat: list[Any] = tensor.reshape(-1).tolist()
    return flat


def to_binary(tensor: Tensor) -> bytes:
    """Return the raw bytes of a tensor, row-major and little-endian."""
    return np.ascontiguousarray(tensor, tensor.dtype.newbyteorder("<")).tobytes()


def _dtype(datatype: Any, name: str) -> np.dtype[Any]:
    dtype = _DTYPES.get(datatype) if isinstance(datatype, str) else None
    if dtype is None:
        raise malformed(
            f"input {name}: datatype {datatype!r} is not known here; there are {', '.join(_DTYPES)}"
        )
    return dtype


def _whole_numbers(data: list[Any], found: Tensor) -> Tensor:
    """Return numbers as they are where all of them are whole and fit, else ``found``."""
    exact = np.asarray(data, object)
    if all(type(number) is int and 0 <= number < 2**64 for number in exact.flat):
        return exact.astype(np.uint64)
    return found


def _converted(found: Tensor, dtype: np.dtype[Any], datatype: str, name: str) -> Tensor:
    fault = malformed(f"input {name}: data holds something that is no {datatype}")
    if not found.size:
        return found.astype(dtype)
    if dtype.kind == "f":
        if found.dtype.kind not in "iuf":
            raise fault
        with np.errstate(over="ignore"):
            floats: Tensor = found.astype(dtype)
        if not np.isfinite(floats).all():
            raise fault
        return floats
    if dtype.kind == "b":
        if found.dtype.kind != "b":
            raise fault
        return found
    if found.dtype.kind not in "iu":
        raise fault
    limits = np.iinfo(dtype)
    if int(found.min()) < limits.min or int(found.max()) > limits.max:
        raise fault
    return found.astype(dtype)
