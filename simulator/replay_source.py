"""What `--replay` names: the data set of seglearn, a CSV file, or a folder of them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from pipelines.errors import DataError
from simulator.options import FleetOptions
from simulator.recording import Recording
from simulator.replay_csv import CsvForm, csv_recording
from simulator.replay_seglearn import seglearn_recordings

SEGLEARN: Final = "seglearn"


def recordings_of(source: str, form: CsvForm, at_most: int) -> list[Recording]:
    """Return the recordings that a source has, no more than so many.

    Raises:
        DataError: there is no such file, or it does not hold a recording.
        ToolMissingError: seglearn is not installed.
    """
    if source == SEGLEARN:
        return seglearn_recordings()[:at_most]
    path = Path(source)
    if path.is_file():
        return [csv_recording(path, form)]
    files = sorted(path.glob("*.csv"))
    if not files:
        raise DataError(
            f"--replay {source}: neither a CSV file, nor a folder with *.csv, nor {SEGLEARN!r}"
        )
    return [csv_recording(file, form) for file in files[:at_most]]


def replayed(options: FleetOptions, recordings: Sequence[Recording]) -> FleetOptions:
    """Return the options with an end: that of the longest recording, if they have no earlier."""
    # The grid has its last sample at a recording's end or before, and a sample lasts a period.
    longest_s = max(recording.span_s for recording in recordings) + 2 / options.rate_hz
    return replace(options, seconds=min(options.seconds or longest_s, longest_s))
