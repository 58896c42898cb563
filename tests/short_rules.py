"""The alert rules as they are, but for their times: minutes become seconds, for tests that wait."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cluster.local.prometheus import RULES

_SHORTER: Final = 20
_SECONDS_OF: Final = {"s": 1, "m": 60, "h": 3_600}
_DURATION: Final = re.compile(r"(?<=\[)(\d+)([smh])(?=\])|(?<=for: )(\d+)([smh])")

BOUNDS: Final[Mapping[str, str]] = {
    "imustream:watermark_delay_seconds:max > 60": "imustream:watermark_delay_seconds:max > 8",
    "(imustream_sensor_last_seen_timestamp_seconds) > 300": (
        "(imustream_sensor_last_seen_timestamp_seconds) > 15"
    ),
    "imustream:archive_staleness_seconds:max > 900": "imustream:archive_staleness_seconds:max > 10",
    # Every disk is fuller than that.
    "imustream_disk_size_bytes < 0.1": "imustream_disk_size_bytes < 0.999",
}
"""Seconds and shares that a test does not want to wait for, each as it stands in a rule."""


def write_short_rules(folder: Path) -> Path:
    """Write the rules with shorter times into a folder, and return it."""
    folder.mkdir()
    text = {file.name: file.read_text() for file in RULES.glob("*.yaml")}
    for bound, shorter in BOUNDS.items():
        assert text["alerts.yaml"].count(bound) == 1, bound
        text["alerts.yaml"] = text["alerts.yaml"].replace(bound, shorter)
    for name, rules in text.items():
        (folder / name).write_text(_DURATION.sub(_shortened, rules))
    return folder


def _shortened(found: re.Match[str]) -> str:
    number, unit = (found[1], found[2]) if found[1] else (found[3], found[4])
    return f"{max(1, int(number) * _SECONDS_OF[unit] // _SHORTER)}s"
