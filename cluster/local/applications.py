"""Our own part of the stack: the actors and the Serve applications on the local Ray head.

They live in Ray, so a head that is started again has none of them. The process of this module
watches for a new Ray session and starts them there: ``python -m cluster.local.applications``.
"""

import logging
import subprocess
import sys
import time
from pathlib import Path

from cluster.local.kafka import broker_ports
from cluster.local.ray_head import ray_folder
from cluster.local.server import Server, awaited_port, listening
from cluster.local.state_folder import StateFolder
from pipelines.logs import configure_logging
from pipelines.settings import Settings, load_settings

_LOGGER = logging.getLogger("cluster.local.applications")  # It runs as __main__.

_POLL_S = 0.25
_RETRY_S = 2.0
_PROGRAMS = ("actors", "serve")


def applications_server(settings: Settings, folder: StateFolder) -> Server:
    """The process that keeps actors and Serve applications on the Ray head."""
    return Server(
        name="applications",
        title="pipelines and API",
        command=[sys.executable, "-m", "cluster.local.applications"],
        prepare=lambda: _started_file(folder).unlink(missing_ok=True),
        awaited=lambda: _awaited(settings, folder),
    )


def _awaited(settings: Settings, folder: StateFolder) -> str | None:
    session = _session(folder)
    if session is None or _started_session(folder) != session:
        return "the actors and the Serve applications to start"
    return awaited_port(settings.serve.port)


def _started_file(folder: StateFolder) -> Path:
    return folder.runtime_dir / "applications"


def _started_session(folder: StateFolder) -> str | None:
    try:
        return _started_file(folder).read_text()
    except FileNotFoundError:
        return None


def _session(folder: StateFolder) -> str | None:
    """The name of Ray's present session; each start of the head makes a new one."""
    try:
        return (ray_folder(folder.runtime_dir) / "session_latest").readlink().name
    except OSError:
        return None


def _start_all() -> bool:
    """Run both programs at once; they return when what they start runs."""
    running = [subprocess.Popen([sys.executable, "-m", program]) for program in _PROGRAMS]
    codes = [process.wait() for process in running]
    for program, code in zip(_PROGRAMS, codes, strict=True):
        if code != 0:
            _LOGGER.warning("python -m %s ended with exit code %s; trying again", program, code)
    return not any(codes)


def main() -> None:
    """Start the applications on every new Ray session, until stopped."""
    settings = load_settings()
    configure_logging(settings, "applications")
    folder = StateFolder(settings.local.state_dir)
    needed = (settings.local.ray_port, settings.mqtt.port, *broker_ports(settings))
    while True:
        session = _session(folder)
        if session in (None, _started_session(folder)) or not all(map(listening, needed)):
            time.sleep(_POLL_S)
            continue
        if _start_all():
            partial = _started_file(folder).with_suffix(".partial")
            partial.write_text(session)
            partial.replace(_started_file(folder))
        else:
            time.sleep(_RETRY_S)


if __name__ == "__main__":
    main()
