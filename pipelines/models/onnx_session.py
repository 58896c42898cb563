"""onnxruntime sessions: how many threads they take, and what they run on."""

from typing import Final, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from pipelines.errors import ConfigurationError, DataError

INPUTS: Final = ("features", "lengths", "hidden", "cell")
OUTPUTS: Final = ("predictions", "hidden_out", "cell_out")

_CUDA: Final = "CUDAExecutionProvider"
_CPU: Final = "CPUExecutionProvider"


def open_session(
    onnx: bytes, threads: int = 1, device: Literal["cpu", "cuda"] = "cpu"
) -> onnxruntime.InferenceSession:
    """Return a session of ``threads`` threads that runs one operator at a time.

    Raises:
        ConfigurationError: ``device`` is cuda and this onnxruntime has no CUDA.
        DataError: onnxruntime does not take the model.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin while they wait would take the cores of the rest of the machine.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    providers = _providers(device)
    try:
        session = onnxruntime.InferenceSession(onnx, options, providers=providers)
    except Exception as error:  # onnxruntime's own exceptions share no other base.
        raise DataError(f"onnxruntime does not take the model: {error}") from None
    if device == "cuda" and _CUDA not in session.get_providers():
        raise ConfigurationError(
            "setting inference.device is cuda, but CUDA does not start here: check the driver and "
            "the CUDA libraries, or set it to cpu"
        )
    return session


def run_sequences(
    session: onnxruntime.InferenceSession,
    features: NDArray[np.float32],
    lengths: NDArray[np.int32],
    hidden: NDArray[np.float32],
    cell: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return ``(predictions, hidden, cell)``, as the file format says."""
    feeds = dict(zip(INPUTS, (features, lengths, hidden, cell), strict=True))
    predictions, hidden_out, cell_out = session.run(OUTPUTS, feeds)
    return predictions, hidden_out, cell_out


def _providers(device: Literal["cpu", "cuda"]) -> list[str]:
    if device == "cpu":
        return [_CPU]
    if _CUDA not in onnxruntime.get_available_providers():
        raise ConfigurationError(
            "setting inference.device is cuda, but this onnxruntime has no CUDA: install "
            "onnxruntime-gpu in place of onnxruntime, or set it to cpu"
        )
    # CUDA's libraries as Python packages have them, which no linker looks for; else the system's.
    onnxruntime.preload_dlls()
    return [_CUDA, _CPU]
