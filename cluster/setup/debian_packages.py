"""Debian packages unpacked into `.tools`, without root and without starting their services."""

import os
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

from cluster.setup.paths import DEBIAN_ROOT, TOOLS
from cluster.setup.step import run_tool
from pipelines.errors import ToolMissingError

_APT = TOOLS / "apt"
_one_at_a_time = threading.Lock()
"""apt locks its lists: a second run on them fails, and the steps of the set-up run at once."""


def unpack(package: str, title: str) -> None:
    """Unpack a package and whatever it needs that the system lacks.

    apt checks the archive's signatures as always; only its lists and its cache are our own.

    Raises:
        ToolMissingError: there is no apt here.
        UnavailableError: the archive does not answer, or has no such package.
    """
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise ToolMissingError(f"{title} is missing: install it with your system's package manager")
    with _one_at_a_time:
        _unpack(package, _APT / "downloads" / package)


def _unpack(package: str, downloads: Path) -> None:
    for folder in (_APT / "state" / "lists" / "partial", _APT / "cache" / "archives" / "partial"):
        folder.mkdir(parents=True, exist_ok=True)
    downloads.mkdir(parents=True, exist_ok=True)
    run_tool([*_apt(), "update"])
    planned = run_tool([*_apt(), "--simulate", "--no-install-recommends", "install", package])
    names = [line.split()[1] for line in planned.splitlines() if line.startswith("Inst ")]
    _download(names or [package], downloads)
    for archive in sorted(downloads.glob("*.deb")):
        run_tool(["dpkg-deb", "--extract", archive, DEBIAN_ROOT])
        archive.unlink()


def _download(names: Sequence[str], folder: Path) -> None:
    run_tool([*_apt(), "download", *names], folder=folder)


def _apt() -> list[str]:
    options = {
        "Dir::State": _APT / "state",
        "Dir::Cache": _APT / "cache",
        # What the system has already need not be unpacked again.
        "Dir::State::status": "/var/lib/dpkg/status",
        "Acquire::Retries": 3,
    }
    if os.getuid() == 0:
        options["APT::Sandbox::User"] = "root"  # its own user cannot write into our folders
    return ["apt-get", "-q", *(f"--option={key}={value}" for key, value in options.items())]
