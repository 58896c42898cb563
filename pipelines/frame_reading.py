"""One payload as a person reads it: its frames with every sample in physical units.

For tools, not for the stream: float64 and dictionaries, in the form of the project's fixtures.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.frame_format import ACC_G, GYRO_RAD_S, MAG_GAUSS, SAMPLES_AT
from pipelines.frame_scanner import DeadSpan, FrameSpan, scan_payload
from pipelines.json_payload.forms import is_json
from pipelines.payload_scanner import resampled

_SAMPLE = np.dtype([("acc", ">i2", 3), ("gyro", ">i2", 3), ("mag", "<i2", 3), ("temp", ">i2")])
_AXES = "xyz"


def read_payload(payload: bytes, sample_rate_hz: float) -> dict[str, Any]:
    """Return ``{"frames": [...], "dead_letters": [...]}`` of a payload.

    Units: acceleration g, rotation rad/s, magnetic field gauss, temperature as sent.
    """
    frames, dead, bytes_of_frames = _scan(payload, sample_rate_hz)
    return {
        "frames": [
            {
                "base_sample_number": frame.base_sample_number,
                "timestamp_us": frame.timestamp_us,
                "num_samples": frame.num_samples,
                "samples": _samples(bytes_of_frames, frame, sample_rate_hz),
            }
            for frame in frames
        ],
        "dead_letters": [
            {
                "reason": d.reason,
                "bytes": d.end - d.start,
                # What is wrong with JSON is where in it; what is wrong with a frame is its reason.
                **({"detail": d.detail} if is_json(payload) else {}),
            }
            for d in dead
        ],
    }


def _scan(payload: bytes, sample_rate_hz: float) -> tuple[list[FrameSpan], list[DeadSpan], bytes]:
    """Return frames, dead spans, and the bytes that the frames' samples are read from."""
    if not is_json(payload):
        return *scan_payload(payload), payload
    found = resampled(payload, sample_rate_hz)
    if isinstance(found, DeadSpan):
        return [], [found], b""
    data = bytes(SAMPLES_AT) + found.data
    fields = (found.base_sample_number, found.timestamp_us, found.num_samples)
    return [FrameSpan(0, len(data), *fields)], [], data


def _samples(payload: bytes, frame: FrameSpan, sample_rate_hz: float) -> list[dict[str, Any]]:
    raw = np.frombuffer(payload, _SAMPLE, frame.num_samples, frame.start + SAMPLES_AT)
    acc, gyro, mag = raw["acc"] * ACC_G, raw["gyro"] * GYRO_RAD_S, raw["mag"] * MAG_GAUSS
    times_us = np.rint(np.arange(len(raw)) * 1e6 / sample_rate_hz).astype(int)
    return [
        {
            "sample_index": frame.base_sample_number + i,
            "timestamp_us": frame.timestamp_us + int(times_us[i]),
            **_named("acc", acc[i]),
            **_named("gyro", gyro[i]),
            **_named("mag", mag[i]),
            "temp_raw": int(raw["temp"][i]),
            "accl_mag": float(np.linalg.norm(acc[i])),
            "gyro_mag": float(np.linalg.norm(gyro[i])),
        }
        for i in range(len(raw))
    ]


def _named(name: str, vector: npt.NDArray[np.float64]) -> dict[str, float]:
    return {f"{name}_{axis}": float(v) for axis, v in zip(_AXES, vector, strict=True)}
