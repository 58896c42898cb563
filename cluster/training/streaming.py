"""Run an exported model over long sequences as the stream does: chunk by chunk, state carried."""

import numpy as np
import onnxruntime as ort

from cluster.training.bodies import Float32s

CHUNK = 400


def stream(model: bytes, scaled: Float32s, chunk: int = CHUNK) -> Float32s:
    """Return ``(k, n, 2)`` predictions for ``(k, n, f)`` scaled features, from a state of zero."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    units = session.get_inputs()[2].shape[2]
    lanes, length, _ = scaled.shape
    hidden = cell = np.zeros((1, lanes, units), dtype=np.float32)
    found = np.empty((lanes, length, 2), dtype=np.float32)
    for start in range(0, length, chunk):
        part = np.ascontiguousarray(scaled[:, start : start + chunk].swapaxes(0, 1))
        lengths = np.full(lanes, len(part), dtype=np.int32)
        given = {"features": part, "lengths": lengths, "hidden": hidden, "cell": cell}
        predictions, hidden, cell = session.run(None, given)
        found[:, start : start + chunk] = predictions.swapaxes(0, 1)
    return found
