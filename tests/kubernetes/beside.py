"""Our own programs beside the control plane: what feeds the stream, and what tells of it."""

import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from cluster.setup.paths import VENV
from tests.kubernetes.network import Network
from tests.kubernetes.pods import IMAGE_ENVIRONMENT
from tests.kubernetes.processes import Processes

_ASK = """\
import sys, urllib.request
url, *headers = sys.argv[1:]
request = urllib.request.Request(url, headers=dict(h.split(": ", 1) for h in headers))
try:
    with urllib.request.urlopen(request, timeout=20) as answer:
        print(answer.status, answer.read().decode())
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
except OSError as error:
    print(0, error)
"""


class Beside:
    """Runs them in the control plane's network, with the settings of the servers there."""

    def __init__(
        self, network: Network, processes: Processes, environment: Mapping[str, str]
    ) -> None:
        self._network = network
        self._processes = processes
        self._environment = {
            **IMAGE_ENVIRONMENT,
            **environment,
            "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/bin",
            "XDG_CACHE_HOME": str(Path.home() / ".cache"),
        }

    def start(self, name: str, module: str, *arguments: str) -> None:
        """Start a module; its output goes to the log of ``name``."""
        self._processes.start(name, self._command(module, *arguments), self._environment)

    def stop(self, name: str) -> None:
        """End what was started under a name; it is asked to, and has a minute."""
        self._processes.stop(name, gentle_s=60)

    def run(self, module: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a module to its end."""
        return subprocess.run(
            self._command(module, *arguments),
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def ask(self, url: str, *headers: str) -> tuple[int, str]:
        """Ask over HTTP; return the status (0: no answer) and the body."""
        words = [VENV / "bin" / "python", "-c", _ASK, url, *headers]
        done = subprocess.run(
            self._network.command(words), capture_output=True, text=True, check=True
        )
        status, _, body = done.stdout.strip().partition(" ")
        return int(status), body

    def follow_commits(self, name: str) -> "Commits":
        """Begin to follow what sensor_processing commits, in a process of this name."""
        self.start(name, "tests.kubernetes.commits")
        return Commits(self._processes.log(name))

    def _command(self, module: str, *arguments: str) -> list[str]:
        return self._network.command([VENV / "bin" / "python", "-m", module, *arguments])


class Commits:
    """How far sensor_processing is, and the longest that it stood still."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._seen = 0
        self._moved_s = time.monotonic()
        self._longest_s = 0.0

    def look(self) -> int:
        """Return how far it is; to be called at least each second for a true :meth:`longest_s`."""
        lines = self._log.read_text().splitlines()
        now = int(lines[-1]) if lines and lines[-1].isdigit() else 0
        at_s = time.monotonic()
        if now > self._seen:
            self._longest_s = max(self._longest_s, at_s - self._moved_s)
            self._seen, self._moved_s = now, at_s
        return self._seen

    def begin(self) -> int:
        """Measure from now on; return how far it is."""
        self.look()
        self._longest_s, self._moved_s = 0.0, time.monotonic()
        return self._seen

    def longest_s(self) -> float:
        """Return the longest that it stood still since :meth:`begin`, up to now."""
        return max(self._longest_s, time.monotonic() - self._moved_s)
