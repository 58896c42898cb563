"""Dead letters as the command line shows them: a row, all facts, the bytes and what they say."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from pipelines.frame_scanner import FrameSpan
from pipelines.payload_scanner import scan_any
from pipelines.redrive.letter import Letter
from pipelines.redrive.redrive import RedriveReport

COLUMNS: Final = ("letter", "failed at (UTC)", "sensor", "reason", "pipeline", "bytes", "redriven")
SHOWN_BYTES: Final = 4_096
_A_LINE: Final = 16


def cells(letter: Letter, redriven: bool) -> tuple[str, ...]:
    """Return the row of a letter."""
    return (
        letter.place,
        at(letter.failed_us),
        letter.sensor_id or "-",
        letter.reason,
        letter.pipeline,
        str(letter.size),
        "yes" if redriven else "-",
    )


def facts(letter: Letter, redriven: bool) -> dict[str, Any]:
    """Return all but the bytes, as JSON says it."""
    known = letter.facts()
    return {**known, "source": known["source"] or letter.source_text, "redriven": redriven}


def hexdump(value: bytes, most: int = SHOWN_BYTES) -> Iterator[str]:
    """Yield lines of 16 bytes, in hexadecimal and as ASCII; what is left out is said."""
    for start in range(0, min(len(value), most), _A_LINE):
        part = value[start : min(start + _A_LINE, most)]
        pairs = part.hex(" ")
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        yield f"{start:08x}  {pairs:<{3 * _A_LINE - 1}}  {text}"
    if len(value) > most:
        yield f"... {len(value) - most} more bytes; see `imustream dead-letters export`"


def scanned(value: bytes, sample_rate_hz: float) -> Iterator[str]:
    """Yield what the scanner of today says about the bytes."""
    frames, dead = scan_any(value, sample_rate_hz)
    said = [(frame.start, frame.end, _good(frame)) for frame in frames]
    said += [(span.start, span.end, f"{span.reason}, {span.detail}") for span in dead]
    for start, end, words in sorted(said):
        yield f"bytes {start}-{end}: {words}"


def _good(frame: FrameSpan) -> str:
    if not frame.num_samples:
        return f"a good heartbeat of {at(frame.timestamp_us)}"
    last = frame.base_sample_number + frame.num_samples - 1
    return (
        f"a good frame of samples {frame.base_sample_number} to {last} from "
        f"{at(frame.timestamp_us)}"
    )


def summary(report: RedriveReport, dry_run: bool) -> Iterator[str]:
    """Yield what became of a redrive."""
    if dry_run:
        yield (
            f"{report.matched} letters match: {report.requested} would be redriven, "
            f"{report.already} were before, {report.refusals} cannot be"
        )
    else:
        yield (
            f"{report.matched} letters match: {report.redriven} redriven, {report.already} were "
            f"before, {report.refusals} refused, {report.pending} requested and not stepped yet"
        )
    if report.redriven:
        told = {name: report.counts.get(name, 0) for name in _TOLD}
        yield "of the redriven: " + ", ".join(f"{n} {name}" for name, n in told.items())
    for refusal in report.refused:
        yield f"{refusal.partition}/{refusal.offset}: {refusal.why}"
    if report.refusals > len(report.refused):
        yield f"... and {report.refusals - len(report.refused)} more refused"


_TOLD: Final = ("frames", "transformed", "duplicates", "dead_letters", "samples_late")


def at(time_us: int) -> str:
    """Return a time in UTC to the second; a time that no calendar has as its number."""
    try:
        return datetime.fromtimestamp(time_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return f"{time_us} us"
