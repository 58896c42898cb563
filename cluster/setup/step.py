"""One step of the set-up, skipped while its inputs are the same and its result is there."""

import hashlib
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.setup.paths import ROOT, TOOLS
from pipelines.errors import UnavailableError

_STAMPS = TOOLS / "stamps"
_LAST_LINES = 15


@dataclass(frozen=True)
class Step:
    """A step: what it installs, from which files, whether the result is there, and how."""

    name: str
    title: str
    inputs: Sequence[Path]
    is_there: Callable[[], bool]
    install: Callable[[], None]

    def run(self) -> None:
        """Install unless that is done already, and say so in a line."""
        stamp = _STAMPS / self.name
        wanted = self._fingerprint()
        if stamp.is_file() and stamp.read_text() == wanted and self.is_there():
            return
        print(f"setup: {self.title} ...", flush=True)
        began = time.monotonic()
        self.install()
        _STAMPS.mkdir(parents=True, exist_ok=True)
        stamp.write_text(wanted)
        print(f"setup: {self.title} done in {time.monotonic() - began:.0f} s", flush=True)

    def _fingerprint(self) -> str:
        digest = hashlib.sha256(f"{ROOT} {sys.version}".encode())
        for file in self.inputs:
            digest.update(f"{file.name} ".encode() + hashlib.sha256(file.read_bytes()).digest())
        return digest.hexdigest()


def run_tool(
    command: Sequence[str | Path],
    folder: Path = ROOT,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a tool, quietly unless it fails. Returns what it wrote.

    Raises:
        UnavailableError: it failed; what it wrote last is on standard error.
    """
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        cwd=folder,
        env=None if environment is None else dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        print("\n".join(done.stdout.splitlines()[-_LAST_LINES:]), file=sys.stderr)
        raise UnavailableError(
            f"`{' '.join(words[:4])} ...` failed with exit code {done.returncode}: "
            "its last lines are above; mend the cause and run `make setup` again"
        )
    return done.stdout
