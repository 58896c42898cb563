"""`python -m cluster.mosquitto_certificate FILE`: have Mosquitto read a renewed certificate.

It runs beside Mosquitto in one pod and sees its processes. Mosquitto reads certificates when it
starts and at SIGHUP; connections that are there stay.
"""

import argparse
import hashlib
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType

import psutil

POLL_S = 10.0
"""Kubernetes itself takes a minute to write a changed Secret into a pod."""

_PROGRAM = "mosquitto"


class Watch:
    """Calls somebody when a file's content has changed since it was last looked at."""

    def __init__(self, file: Path, changed: Callable[[], bool]) -> None:
        """``changed`` says whether it did what it is called for; if not it is called again."""
        self._file = file
        self._changed = changed
        self._known = self._digest()

    def look(self) -> None:
        """Look once. A file that is away just now is no change."""
        now = self._digest()
        if now is not None and now != self._known and self._changed():
            self._known = now

    def _digest(self) -> str | None:
        try:
            return hashlib.sha256(self._file.read_bytes()).hexdigest()
        except OSError:
            return None


def hang_up(processes: Iterable[psutil.Process]) -> bool:
    """Send SIGHUP to those that are Mosquitto; returns whether there was one."""
    sent = False
    for process in processes:
        try:
            if process.name() == _PROGRAM:
                process.send_signal(signal.SIGHUP)
                print(f"certificate changed: sent SIGHUP to process {process.pid}", flush=True)
                sent = True
        except psutil.NoSuchProcess:
            continue
    return sent


def main() -> int:
    """Watch until SIGTERM; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="certfile of mosquitto.conf")
    file: Path = parser.parse_args().file
    stopping = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    watch = Watch(file, lambda: hang_up(psutil.process_iter()))
    while not stopping.wait(POLL_S):
        watch.look()
    return 0


if __name__ == "__main__":
    sys.exit(main())
