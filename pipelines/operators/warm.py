"""Compile the operators ahead of their first use: `python -m pipelines.operators.warm`.

A set-up step, so that neither a test nor a starting slot waits for the compiler.
"""

from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.models.model_files import Model
from pipelines.models.sequence_inference import Answer
from pipelines.operators.ml_inference import MlInference
from pipelines.operators.sensor_processing import SensorProcessing
from pipelines.predictions import ModelId
from pipelines.records import InputBatch
from pipelines.settings import InferenceSettings, ProcessingSettings
from pipelines.transformed import SCHEMA


def warm() -> None:
    """Step what compiles all there is."""
    _warm_processing()
    # What a replica answers cannot be written to, which is another type to the compiler.
    for writable in (True, False):
        _warm_inference(writable)


def _warm_processing() -> None:
    """Step one tick and one payload that is no frame."""
    operator = SensorProcessing(ProcessingSettings())
    times = np.zeros(2, np.int64)
    operator.step(operator.new_state(0), InputBatch([None, b"s"], [b"{}", b"?"], times, times))


class _Still:
    """A model of one feature that says that nothing moves."""

    def __init__(self, writable: bool) -> None:
        one = np.ones(1, np.float32)
        self._model = Model(ModelId("still", "1", ""), ("acc_x",), one, one, 1, 200.0, b"", {})
        self._writable = writable

    def wanted(self) -> Model:
        return self._model

    def get(self, _model: ModelId) -> Model:
        return self._model

    def infer(
        self, _model: ModelId, features: Any, _lengths: Any, hidden: Any, cell: Any
    ) -> Answer:
        predictions = np.zeros((*features.shape[:2], 2), np.float32)
        predictions.flags.writeable = self._writable
        return Answer(predictions, hidden, cell)


def _warm_inference(writable: bool) -> None:
    """Step one tick and one sample."""
    still = _Still(writable)
    operator = MlInference(InferenceSettings(), ProcessingSettings(), still.infer, still)
    row = pa.Table.from_pylist([dict.fromkeys(SCHEMA.names, 0) | {"sensor_id": "s"}])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA) as writer:
        writer.write_table(row.cast(SCHEMA))
    values = [b'{"tick":0,"published_us":0}', sink.getvalue().to_pybytes()]
    times = np.zeros(2, np.int64)
    operator.step(operator.new_state(0), InputBatch([None, None], values, times, times))


if __name__ == "__main__":
    warm()
