"""What cannot be processed, as a record of the topic dead-letters: the bytes and why."""

from typing import Final

from pipelines import topics
from pipelines.frame_scanner import DeadSpan
from pipelines.records import Output

_CONTENT_TYPE: Final = b"application/octet-stream"


def dead_letter(
    span: DeadSpan,
    *,
    pipeline: str,
    code_version: bytes,
    key: bytes | None,
    payload: bytes,
    source: str,
    failed_us: int,
    shift: int = 0,
) -> Output:
    """Return the dead letter of ``payload[span.start:span.end]``.

    Args:
        span: which bytes, and why.
        pipeline: what refused them.
        code_version: of that pipeline.
        key: the sensor id, if known.
        payload: the whole payload.
        source: ``topic/partition/offset`` it came from.
        failed_us: when it was received, microseconds since the epoch; operators have no clock.
        shift: where the payload itself begins in the record at ``source``, if not at its front.
    """
    headers = [
        ("reason", span.reason.encode()),
        ("detail", span.detail.encode()),
        ("pipeline", pipeline.encode()),
        ("source", source.encode()),
        ("byte-range", b"%d-%d" % (shift + span.start, shift + span.end)),
        ("failed-us", b"%d" % failed_us),
        ("code-version", code_version),
        (topics.CONTENT_TYPE, _CONTENT_TYPE),
    ]
    return Output(topics.DEAD_LETTERS, key, payload[span.start : span.end], headers)
