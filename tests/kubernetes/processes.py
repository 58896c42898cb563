"""The processes of one run of the tests: started in order, ended in reverse, each by its id.

Each has a session of its own, and dies with the tests whatever becomes of them.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_LAST_LINES = 15


class Processes:
    """Runs programs with a log each; :meth:`close` ends them."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start a program; its output goes to the log of its name."""
        with self.log(name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=None if environment is None else dict(environment),
                start_new_session=True,
            )

    def log(self, name: str) -> Path:
        """The log of a program."""
        return self._logs / f"{name}.log"

    def ended(self, name: str) -> int | None:
        """The exit code of a program that has ended; None while it runs."""
        return self._running[name].poll()

    def code(self, name: str) -> int | None:
        """As :meth:`ended`, and None too for what has been stopped."""
        process = self._running.get(name)
        return None if process is None else process.poll()

    def stop(self, name: str, gentle_s: float = 10.0) -> None:
        """End a program: SIGTERM, then SIGKILL to its whole session."""
        process = self._running.pop(name)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(gentle_s)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def close(self) -> None:
        """End all, the last started first."""
        for name in reversed(list(self._running)):
            self.stop(name)

    def wait(self, name: str, what: str, done: Callable[[], bool], timeout_s: float = 60.0) -> None:
        """Wait until a program has done something; fail with its last lines where it does not."""
        deadline_s = time.monotonic() + timeout_s
        while not done():
            code = self.ended(name)
            if code is not None or time.monotonic() > deadline_s:
                lines = self.log(name).read_text(errors="replace").splitlines()[-_LAST_LINES:]
                ended = f"ended with {code}" if code is not None else f"took over {timeout_s:.0f} s"
                raise AssertionError(f"{name} {ended}, waiting for {what}:\n" + "\n".join(lines))
            time.sleep(0.1)


def wait_until(what: str, done: Callable[[], bool], timeout_s: float) -> None:
    """Wait for a condition.

    Raises:
        AssertionError: it does not come true in time.
    """
    deadline_s = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < deadline_s, f"no {what} within {timeout_s:.0f} s"
        time.sleep(0.2)
