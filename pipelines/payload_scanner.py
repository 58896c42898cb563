"""What becomes of one payload of any kind: frames, or JSON that counts as one frame."""

from pipelines.frame_scanner import DeadSpan, FrameSpan, scan_payload
from pipelines.json_payload.forms import InvalidPayloadError, is_json, read_json
from pipelines.json_payload.resampling import Resampled, resample


def scan_any(payload: bytes, sample_rate_hz: float) -> tuple[list[FrameSpan], list[DeadSpan]]:
    """Split a payload into good frames and dead spans, which together cover every byte once.

    A JSON payload is one of either, as a whole.
    """
    if not is_json(payload):
        return scan_payload(payload)
    found = resampled(payload, sample_rate_hz)
    if isinstance(found, DeadSpan):
        return [], [found]
    span = FrameSpan(
        0, len(payload), found.base_sample_number, found.timestamp_us, found.num_samples
    )
    return [span], []


def resampled(payload: bytes, sample_rate_hz: float) -> Resampled | DeadSpan:
    """Return the samples of a JSON payload, or why it has none."""
    try:
        return resample(read_json(payload), sample_rate_hz)
    except InvalidPayloadError as error:
        return DeadSpan(0, len(payload), error.reason, error.detail)
