"""What `imustream doctor` looks at: tools, room, and every server, each with a remedy."""

import asyncio
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import psutil
from pymongo import AsyncMongoClient

from cluster.local.stack import Stack
from cluster.setup import tools
from cluster.setup.paths import NODE_MODULES
from pipelines.errors import ImustreamError
from pipelines.settings import Settings
from serve.health import Check, KafkaCheck, MongoCheck, MqttCheck, Readiness, readiness

_GB = 1_000_000_000
_MIN_DISK_GB = 5
_MIN_MEMORY_GB = 4
_MONGO_WAIT_MS = 2_000


class Finding(NamedTuple):
    """One thing looked at: whether it is well, what was seen, and what to do where it is not."""

    subject: str
    well: bool
    seen: str
    remedy: str


def findings(settings: Settings) -> Iterator[Finding]:
    """Look at everything, tools first."""
    yield from _tools()
    yield from _room(settings)
    yield from _servers(settings)


def _tools() -> Iterator[Finding]:
    setup = "run `make setup`"
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", sys.version_info >= (3, 11), version, "install Python 3.11 or newer")
    found: dict[str, Callable[[], object]] = {
        "Java": tools.java,
        "Kafka jars": tools.kafka_classpath,
        "Mosquitto": lambda: tools.mosquitto().path,
        "document database": tools.documentdb,
        "S3 gateway": tools.s3_gateway,
    }
    for subject, find in found.items():
        try:
            yield Finding(subject, True, str(find()), "")
        except ImustreamError as error:
            yield Finding(subject, False, str(error).partition(":")[0], setup)
    plots = NODE_MODULES / "uplot" / "dist"
    yield Finding("dashboard packages", plots.is_dir(), str(plots), setup)


def _room(settings: Settings) -> Iterator[Finding]:
    folder = settings.local.state_dir.resolve()
    there = next(path for path in (folder, *folder.parents) if path.is_dir())
    free_gb = shutil.disk_usage(there).free / _GB
    yield Finding(
        "disk",
        free_gb >= _MIN_DISK_GB,
        f"{free_gb:.0f} GB free for {folder}",
        f"free {_MIN_DISK_GB} GB, or choose another folder with IMUSTREAM_LOCAL__STATE_DIR",
    )
    memory_gb = psutil.virtual_memory().available / _GB
    yield Finding(
        "memory",
        memory_gb >= _MIN_MEMORY_GB,
        f"{memory_gb:.0f} GB available",
        f"free {_MIN_MEMORY_GB} GB: Kafka, Ray and the pipelines need about that",
    )


def _servers(settings: Settings) -> Iterator[Finding]:
    stack = Stack(settings)
    up = stack.is_up()
    yield Finding("local stack", up, "up" if up else "not up", "run `imustream up`")
    for process in stack.processes():
        log = stack.supervision.last_words(process.name)
        yield Finding(
            f"process {process.name}",
            process.state == "running",
            process.state,
            f"run `imustream up` again; {log}",
        )
    remedy = "run `imustream up`, or correct the setting that says where it is"
    for name, part in asyncio.run(_asked(settings)).parts.items():
        yield Finding(name, part.ready, part.detail, remedy)


async def _asked(settings: Settings) -> Readiness:
    uri = settings.mongo.uri.get_secret_value()
    client: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(
        uri, serverSelectionTimeoutMS=_MONGO_WAIT_MS
    )
    checks: dict[str, Check] = {
        f"Kafka at {settings.kafka.bootstrap_servers}": KafkaCheck(settings.kafka),
        "document database protocol": MongoCheck(client),
        f"MQTT at {settings.mqtt.host}:{settings.mqtt.port}": MqttCheck(settings.mqtt),
    }
    try:
        return await readiness(checks)
    finally:
        await client.close()
