"""One version of a model: ``model.onnx``, ``scaling.json`` and ``model.json``.

``model.onnx`` is a streaming sequence model of F features and H hidden units:

- inputs ``features`` float32 ``[time, batch, F]`` (scaled), ``lengths`` int32 ``[batch]``,
  ``hidden`` and ``cell`` float32 ``[1, batch, H]``;
- outputs ``predictions`` float32 ``[time, batch, 2]`` (velocity in m/s, probability of moving),
  ``hidden_out`` and ``cell_out``: the state after each sequence's own length. Rows of
  ``predictions`` past a sequence's length mean nothing.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import DataError
from pipelines.predictions import ModelId

ONNX_FILE = "model.onnx"
SCALING_FILE = "scaling.json"
FACTS_FILE = "model.json"
FILES = (ONNX_FILE, SCALING_FILE, FACTS_FILE)


@dataclass(frozen=True, eq=False)
class Model:
    """One version of a model.

    ``mean`` and ``std`` are ``(F,) float32``: a model is given ``(raw - mean) / std``.
    ``facts`` is the whole of ``model.json``: training facts, metrics, licence and so on.
    """

    id: ModelId
    features: tuple[str, ...]
    mean: NDArray[np.float32]
    std: NDArray[np.float32]
    hidden_units: int
    sample_rate_hz: float
    onnx: bytes
    facts: dict[str, Any]


def sha256_of(onnx: bytes) -> str:
    """Return the SHA-256 of a ``model.onnx``, as :class:`ModelId` holds it."""
    return hashlib.sha256(onnx).hexdigest()


def read_model(name: str, version: str, files: Mapping[str, bytes], where: str) -> Model:
    """Return the model that these files hold.

    Raises:
        DataError: a file is missing or malformed, or ``model.onnx`` is not the one that
            ``model.json`` names; the message begins with ``where``.
    """
    facts = read_facts(files, where)
    scaling = _object(files[SCALING_FILE], f"{where}/{SCALING_FILE}")
    sha256 = sha256_of(files[ONNX_FILE])
    for field, expected in (("name", name), ("version", version), ("sha256", sha256)):
        if facts.get(field) != expected:
            raise DataError(
                f"{where}/{FACTS_FILE}: $.{field} is {facts.get(field)!r}, but this is {expected!r}"
                + "; the model changed after it was pushed" * (field == "sha256")
            )
    features = facts.get("features")
    if (
        not isinstance(features, list)
        or not features
        or not all(isinstance(feature, str) for feature in features)
    ):
        raise DataError(f"{where}/{FACTS_FILE}: $.features must be a list of column names")
    return Model(
        ModelId(name, version, sha256),
        tuple(features),
        _vector(scaling, "mean", len(features), f"{where}/{SCALING_FILE}"),
        _vector(scaling, "std", len(features), f"{where}/{SCALING_FILE}"),
        _positive_integer(facts, "hidden_units", f"{where}/{FACTS_FILE}"),
        _positive_number(facts, "sample_rate_hz", f"{where}/{FACTS_FILE}"),
        files[ONNX_FILE],
        facts,
    )


def read_facts(files: Mapping[str, bytes], where: str) -> dict[str, Any]:
    """Return what ``model.json`` says.

    Raises:
        DataError: a file is missing, or ``model.json`` is no JSON object.
    """
    for file in FILES:
        if file not in files:
            raise DataError(f"{where}: {file} is missing; a model is {', '.join(FILES)}")
    return _object(files[FACTS_FILE], f"{where}/{FACTS_FILE}")


def with_identity(
    files: Mapping[str, bytes], name: str, version: str, where: str
) -> dict[str, bytes]:
    """Return the files with this name and version in ``model.json``, and a SHA-256 if it has none.

    Raises:
        DataError: a file is missing, or ``model.json`` is no JSON object.
    """
    facts = read_facts(files, where)
    sha256 = facts.get("sha256") or sha256_of(files[ONNX_FILE])
    changed = {**facts, "name": name, "version": version, "sha256": sha256}
    if changed == facts:
        return dict(files)
    return {**files, FACTS_FILE: json.dumps(changed, indent=2).encode() + b"\n"}


def _object(content: bytes, where: str) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError as error:
        raise DataError(f"{where} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise DataError(f"{where} must hold a JSON object")
    return found


def _vector(scaling: dict[str, Any], field: str, length: int, where: str) -> NDArray[np.float32]:
    values = scaling.get(field)
    if not isinstance(values, list) or len(values) != length:
        raise DataError(f"{where}: $.{field} must be a list of {length} numbers, one a feature")
    for index, value in enumerate(values):
        if not _is_number(value) or (field == "std" and value <= 0):
            wanted = "a finite number above 0" if field == "std" else "a finite number"
            raise DataError(f"{where}: $.{field}[{index}] is {value!r}; it must be {wanted}")
    return np.asarray(values, dtype=np.float32)


def _positive_integer(facts: dict[str, Any], field: str, where: str) -> int:
    value = facts.get(field)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise DataError(f"{where}: $.{field} is {value!r}; it must be a whole number above 0")
    return value


def _positive_number(facts: dict[str, Any], field: str, where: str) -> float:
    value = facts.get(field)
    if not _is_number(value) or value <= 0:
        raise DataError(f"{where}: $.{field} is {value!r}; it must be a finite number above 0")
    return float(value)


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
