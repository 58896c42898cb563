"""Tensors of the Open Inference Protocol: whatever goes onto the wire comes back the same."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from serve.inference.refusal import RefusedError
from serve.inference.tensors import (
    datatype_of,
    from_binary,
    from_json,
    shape_of,
    to_binary,
    to_json,
)

DTYPES = ("?", "u1", "<u2", "<u4", "<u8", "i1", "<i2", "<i4", "<i8", "<f2", "<f4", "<f8")
FINITE = {"allow_nan": False, "allow_infinity": False}
SHAPES = npst.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4)


@st.composite
def tensors(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    elements = npst.from_dtype(dtype, **(FINITE if dtype.kind == "f" else {}))
    return draw(npst.arrays(dtype, SHAPES, elements=elements))


@given(tensors())
def test_raw_bytes_come_back_as_the_same_tensor(tensor: np.ndarray[Any, Any]) -> None:
    back = from_binary(to_binary(tensor), datatype_of(tensor), tensor.shape, "x")
    assert back.dtype == tensor.dtype
    np.testing.assert_array_equal(back, tensor)


@given(tensors(), st.booleans())
def test_json_numbers_come_back_as_the_same_tensor(
    tensor: np.ndarray[Any, Any], nested: bool
) -> None:
    data = tensor.tolist() if nested and tensor.size else to_json(tensor)
    back = from_json(data, datatype_of(tensor), tensor.shape, "x")
    assert back.dtype == tensor.dtype
    np.testing.assert_array_equal(back, tensor)


def test_big_endian_and_transposed_tensors_are_written_as_the_protocol_says() -> None:
    tensor = np.arange(6, dtype=">f4").reshape(2, 3).T
    assert datatype_of(tensor) == "FP32"
    assert to_binary(tensor) == np.array([0, 3, 1, 4, 2, 5], "<f4").tobytes()


@pytest.mark.parametrize("length", [0, 11, 13])
def test_bytes_that_do_not_fill_the_shape_are_refused(length: int) -> None:
    with pytest.raises(RefusedError, match="takes 12"):
        from_binary(bytes(length), "FP32", (3,), "x")


@pytest.mark.parametrize("datatype", ["BYTES", "BF16", "fp32", "", None, 7])
def test_a_data_type_that_is_not_known_is_refused(datatype: Any) -> None:
    with pytest.raises(RefusedError, match="datatype"):
        from_json([1], datatype, (1,), "x")


@pytest.mark.parametrize(
    ("data", "datatype"),
    [
        ([1.5], "INT32"),
        ([300], "UINT8"),
        ([-1], "UINT64"),
        (["1"], "FP32"),
        ([None], "FP32"),
        ([True], "FP32"),
        ([1], "BOOL"),
        ([1e40], "FP32"),
        ([2**70], "INT64"),
        ([[1], 2], "INT32"),
        ([[1], [2]], "INT32"),
        ([1, 2], "INT32"),
        ({}, "INT32"),
        (None, "INT32"),
    ],
)
def test_numbers_that_are_none_of_the_type_or_shape_are_refused(data: Any, datatype: str) -> None:
    with pytest.raises(RefusedError, match="input x"):
        from_json(data, datatype, (1,), "x")


@pytest.mark.parametrize("shape", [None, 3, [1.0], [-1], [True], [1] * 9, ["1"]])
def test_a_shape_that_is_none_is_refused(shape: Any) -> None:
    with pytest.raises(RefusedError, match="shape"):
        shape_of(shape, "x")
