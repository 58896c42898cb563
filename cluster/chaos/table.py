"""The results of the faults as a table, and in RELIABILITY.md between two marks."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cluster.chaos.run import CaseResult
from pipelines.errors import ConfigurationError

BEGIN = "<!-- written by `imustream chaos --write`: begin -->"
END = "<!-- end -->"

_HEAD = "| fault, under load | back at work after | samples proved | lost | doubled | wrong |"
_RULE = "|---|---|---|---|---|---|"


def markdown(results: Sequence[CaseResult]) -> str:
    """Return the table with when it was made."""
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    rows = [_row(result) for result in results]
    return "\n".join([f"{len(results)} faults, {day}:", "", _HEAD, _RULE, *rows])


def _row(result: CaseResult) -> str:
    verified = result.verified
    back = ", ".join(f"{seconds:.1f} s" for seconds in result.back_at_work_s)
    samples = sum(row.samples for row in verified.partitions)
    return (
        f"| {result.what} | {back} | {samples:,} | {verified.lost} | {verified.doubled} "
        f"| {verified.wrong} |"
    )


def write_into(file: Path, table: str) -> None:
    """Put the table between the marks of a document.

    Raises:
        ConfigurationError: the file is not there or has no marks.
    """
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ConfigurationError(f"{file} has no lines {BEGIN!r} and {END!r}: add them first")
    file.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")
