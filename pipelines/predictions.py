"""The rows of sensor-data-predictions: their Arrow schema, and who made them."""

from collections.abc import Mapping
from typing import NamedTuple

import pyarrow as pa

SCHEMA = pa.schema(
    [
        pa.field("sensor_id", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("boot", pa.int32(), nullable=False),
        pa.field("sample_index", pa.int64(), nullable=False),
        pa.field("timestamp_us", pa.int64(), nullable=False),
        pa.field("velocity", pa.float32(), nullable=False),
        pa.field("moving_probability", pa.float32(), nullable=False),
    ]
)
"""One row is one sample: velocity in m/s, moving_probability from 0 to 1. A stream's schema also
carries the model in its metadata."""


class ModelId(NamedTuple):
    """Exactly one model: ``sha256`` is of its ``model.onnx``, in hexadecimal digits."""

    name: str
    version: str
    sha256: str

    def metadata(self) -> dict[bytes, bytes]:
        """Return the metadata of the schema of a stream that this model made."""
        return {
            b"model-name": self.name.encode(),
            b"model-version": self.version.encode(),
            b"model-sha256": self.sha256.encode(),
        }


def model_of(metadata: Mapping[bytes, bytes] | None) -> ModelId:
    """Return the model that a stream's schema names; raises KeyError where it names none."""
    found = metadata or {}
    return ModelId(
        found[b"model-name"].decode(),
        found[b"model-version"].decode(),
        found[b"model-sha256"].decode(),
    )
