"""A whole stack with Prometheus, and what a test asks that Prometheus."""

import json
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cluster.local.prometheus import prometheus_url
from cluster.local.settings_environment import child_environment
from cluster.local.stack import PARTS, Stack
from cluster.setup.paths import ROOT
from pipelines.settings import Settings
from tests.conftest import running_stack

Series = dict[str, Any]


@contextmanager
def monitored_stack(parts: tuple[str, ...] = PARTS, **sections: Any) -> Iterator[Stack]:
    """A stack whose metrics are read each second; ``sections`` are further settings."""
    local = {"monitoring": True, "scrape_s": 1, **sections.pop("local", {})}
    with running_stack(parts, local=local, **sections) as stack:
        yield stack


@contextmanager
def fleet(settings: Settings, *options: str) -> Iterator["subprocess.Popen[bytes]"]:
    """`imustream simulate` with these options, until the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cluster.cli", "simulate", *options],
        env=child_environment(settings, ROOT),
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


class Prometheus:
    """The Prometheus of a stack."""

    def __init__(self, settings: Settings) -> None:
        self._url = f"{prometheus_url(settings)}/api/v1/"

    def query(self, expression: str) -> list[Series]:
        """Return what an expression comes to now: ``metric`` with labels, ``value`` of each."""
        found: list[Series] = self._ask("query", query=expression)["result"]
        return found

    def value(self, expression: str) -> float | None:
        """Return the one value of an expression; None where there is none."""
        found = self.query(expression)
        assert len(found) <= 1, found
        return float(found[0]["value"][1]) if found else None

    def targets(self) -> dict[str, str]:
        """Return the health of each target: `up`, `down` or `unknown`."""
        active = self._ask("targets")["activeTargets"]
        return {f"{one['labels']['job']} {one['scrapeUrl']}": one["health"] for one in active}

    def firing(self) -> list[dict[str, str]]:
        """Return the labels of the alerts that fire."""
        alerts = self._ask("alerts")["alerts"]
        return [alert["labels"] for alert in alerts if alert["state"] == "firing"]

    def rules(self) -> list[dict[str, Any]]:
        """Return all rules, with their health."""
        return [rule for group in self._ask("rules")["groups"] for rule in group["rules"]]

    def _ask(self, what: str, **arguments: str) -> Any:
        url = f"{self._url}{what}?{urllib.parse.urlencode(arguments)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]


def eventually(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait until something holds."""
    deadline_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline_s, f"not within {seconds:g} s: {what}"
        time.sleep(0.25)
