"""Keeps the stack's processes running: a supervisord of our own, spoken to over a Unix socket."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import psutil
from supervisor.xmlrpc import SupervisorTransport

from cluster.local.server import Server
from pipelines.errors import UnavailableError

_LOG_BYTES = 5_000_000
_LOG_BACKUPS = 2
_LAST_WORDS = 200
_START_RETRIES = 10
_SOCKET_WAIT_S = 15.0
_POLL_S = 0.05
_RPC_ERRORS = (OSError, http.client.HTTPException, xmlrpc.client.Error)
_MAX_SOCKET_PATH = 100


@dataclass(frozen=True)
class ProcessState:
    """What supervisord says of one process."""

    name: str
    state: str
    pid: int | None
    uptime_s: int


class Supervision:
    """One supervisord: its configuration, its life, and its processes by name."""

    def __init__(self, folder: Path, runtime_dir: Path) -> None:
        """Supervise from ``folder``, with the socket in ``runtime_dir`` (a short path)."""
        self._config = folder / "supervisord.conf"
        self._log = folder / "logs" / "supervisord.log"
        self._pid_file = runtime_dir / "supervisord.pid"
        self._logs = folder / "logs"
        self._socket = runtime_dir / "supervisor.sock"
        if len(str(self._socket)) > _MAX_SOCKET_PATH:
            raise UnavailableError(
                f"{runtime_dir} is too long a path for a socket: set TMPDIR to a shorter folder"
            )

    def log_of(self, name: str) -> Path:
        """Where the output of a process goes."""
        return self._logs / f"{name}.log"

    def last_words(self, name: str) -> str:
        """The last line a process wrote, and the file with the rest, for an error message."""
        log = self.log_of(name)
        lines = log.read_text(errors="replace").split("\n") if log.is_file() else []
        said = next((line.strip() for line in reversed(lines) if line.strip()), "nothing")
        return f"it last wrote {said[:_LAST_WORDS]!r} into {log}"

    def write(self, servers: Sequence[Server]) -> None:
        """Write supervisord's configuration; the servers stand in the order they start."""
        self._logs.mkdir(parents=True, exist_ok=True)
        sections = [self._section_of_supervisord()]
        sections += [self._section_of(server, place) for place, server in enumerate(servers)]
        self._config.touch(mode=0o600)
        self._config.write_text("\n".join(sections))

    def _section_of_supervisord(self) -> str:
        return (
            f"[unix_http_server]\nfile={_escaped(self._socket)}\nchmod=0600\n\n"
            f"[supervisord]\nlogfile={_escaped(self._log)}\nlogfile_maxbytes={_LOG_BYTES}\n"
            f"logfile_backups={_LOG_BACKUPS}\npidfile={_escaped(self._pid_file)}\n"
            f"childlogdir={_escaped(self._logs)}\nminfds=1024\nminprocs=200\n"
            "identifier=imustream\n\n[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
        )

    def _section_of(self, server: Server, place: int) -> str:
        lines = {
            "command": " ".join(_quoted(word) for word in server.command),
            "autostart": "false",
            "autorestart": "true",
            "startsecs": 1,
            "startretries": _START_RETRIES,
            "priority": place,
            "stopwaitsecs": server.stop_wait_s,
            "stopasgroup": "false",
            "killasgroup": "true",
            "redirect_stderr": "true",
            "stdout_logfile": _escaped(self.log_of(server.name)),
            "stdout_logfile_maxbytes": _LOG_BYTES,
            "stdout_logfile_backups": _LOG_BACKUPS,
        }
        if server.folder is not None:
            lines["directory"] = _escaped(server.folder)
        if server.environment:
            lines["environment"] = ",".join(
                f'{key}="{_escaped(value)}"' for key, value in server.environment.items()
            )
        body = "\n".join(f"{key}={value}" for key, value in lines.items())
        return f"[program:{server.name}]\n{body}\n"

    def start(self, environment: dict[str, str]) -> None:
        """Start supervisord in the background, in a session of its own.

        Raises:
            UnavailableError: it does not come up.
        """
        self._socket.unlink(missing_ok=True)
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(self._config)]
        done = subprocess.run(
            command,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
        )
        deadline = time.monotonic() + _SOCKET_WAIT_S
        while done.returncode == 0 and time.monotonic() < deadline:
            if self.running():
                return
            time.sleep(_POLL_S)
        said = (done.stderr or done.stdout).strip().splitlines()
        raise UnavailableError(
            f"supervisord did not start: {said[0] if said else f'see {self._log}'}"
        )

    def running(self) -> bool:
        """Whether supervisord answers."""
        try:
            return bool(self._rpc("getState"))
        except _RPC_ERRORS:
            return False

    def processes(self) -> list[ProcessState]:
        """All processes, in the order they start; none when supervisord is not running."""
        try:
            found = cast(list[dict[str, Any]], self._rpc("getAllProcessInfo"))
        except _RPC_ERRORS:
            return []
        return [
            ProcessState(
                name=one["name"],
                state=one["statename"].lower(),
                pid=one["pid"] or None,
                uptime_s=max(0, one["now"] - one["start"]) if one["pid"] else 0,
            )
            for one in found
        ]

    def state_of(self, name: str) -> ProcessState:
        """One process.

        Raises:
            UnavailableError: supervisord is not running, or has no process of that name.
        """
        for process in self.processes():
            if process.name == name:
                return process
        raise UnavailableError(
            f"{name} is not a process of the stack: start it with `imustream up`"
        )

    def start_process(self, name: str) -> None:
        """Start a process unless it runs; do not wait until it serves."""
        if self.state_of(name).pid is None:
            with contextlib.suppress(xmlrpc.client.Fault):  # it is being started already
                self._rpc("startProcess", name, False)

    def stop_processes(self, names: Sequence[str]) -> None:
        """Stop processes together and wait until all have ended.

        Raises:
            UnavailableError: supervisord is not running.
        """
        for name in names:
            with contextlib.suppress(xmlrpc.client.Fault):  # it is not running
                self._rpc("stopProcess", name, False)
        while any(self.state_of(name).state == "stopping" for name in names):
            time.sleep(_POLL_S)

    def kill_process(self, name: str) -> int:
        """Send SIGKILL to a process; supervisord starts it again. Returns the pid it had."""
        pid = self.state_of(name).pid
        if pid is None:
            raise UnavailableError(f"{name} is not running")
        os.kill(pid, signal.SIGKILL)
        return pid

    def shutdown(self, wait_s: float) -> None:
        """Stop all processes, then supervisord itself; whatever time it takes up to ``wait_s``."""
        process = self._process()
        with contextlib.suppress(*_RPC_ERRORS):
            self._rpc("shutdown")
        if process is not None:
            with contextlib.suppress(psutil.Error):
                process.wait(wait_s)

    def _process(self) -> psutil.Process | None:
        try:
            return psutil.Process(int(self._rpc("getPID")))
        except (*_RPC_ERRORS, psutil.Error):
            return None

    def _rpc(self, method: str, *arguments: object) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        proxy = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)
        try:
            return getattr(proxy.supervisor, method)(*arguments)
        finally:
            transport.close()


def _escaped(value: object) -> str:
    # supervisord expands %(name)s in every value.
    return str(value).replace("%", "%%")


def _quoted(word: str) -> str:
    if any(character in word for character in " \"'\\;"):
        word = '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return _escaped(word)
