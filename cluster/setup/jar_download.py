"""Kafka's jars from Maven Central, each checked against the SHA-256 in `kafka-jars.lock`.

``python -m cluster.setup.jar_download`` downloads what the lock says; with ``--lock VERSION`` it
resolves that version of Kafka anew and writes the lock.
"""

import argparse
import hashlib
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import jgo
from jgo.maven import Artifact, MavenContext

from cluster.setup.kafka_jars import LOCK
from cluster.setup.paths import KAFKA_JARS, TOOLS
from pipelines.errors import ImustreamError, UnavailableError

_MAVEN_CACHE = TOOLS / "m2"
"""Where resolving keeps what it downloads, while it lasts."""

_KAFKA = "org.apache.kafka:kafka_2.13"
_LOGGING = "org.apache.logging.log4j:log4j-slf4j-impl"


def download(lock_file: Path = LOCK, folder: Path = KAFKA_JARS) -> None:
    """Fetch every jar of a lock into a folder, and remove any other.

    Raises:
        UnavailableError: a jar cannot be had, or is not the one that was locked.
    """
    # Each has its own cache: two downloads may run at once.
    cache = folder.with_name(f"{folder.name}-m2")
    context = MavenContext(repo_cache=cache)
    folder.mkdir(parents=True, exist_ok=True)
    wanted = set()
    for line in lock_file.read_text().splitlines():
        coordinates, digest = line.split()
        group, artifact, version = coordinates.split(":")
        try:
            jar = context.project(group, artifact).at_version(version).artifact().resolve()
        except (OSError, RuntimeError) as error:
            raise UnavailableError(f"{coordinates} cannot be downloaded: {error}") from None
        if _sha256(jar) != digest:
            jar.unlink()
            raise UnavailableError(
                f"{coordinates} is not what {lock_file.name} says: do not use it"
            )
        shutil.copyfile(jar, folder / jar.name)
        wanted.add(jar.name)
    for jar in folder.glob("*.jar"):
        if jar.name not in wanted:
            jar.unlink()
    shutil.rmtree(cache, ignore_errors=True)


def lock(version: str) -> None:
    """Resolve Kafka of this version with all it needs, and write the lock."""
    os.environ["M2_REPO"] = str(_MAVEN_CACHE)
    kafka = list(jgo.resolve(f"{_KAFKA}:{version}"))
    log4j = next(one.version for one in kafka if one.artifactId == "log4j-core")
    artifacts = {(one.groupId, one.artifactId): one for one in kafka}
    for one in jgo.resolve(f"{_LOGGING}:{log4j}"):
        artifacts.setdefault((one.groupId, one.artifactId), one)
    LOCK.write_text("".join(sorted(_lock_lines(artifacts.values()))))


def _lock_lines(artifacts: Iterable[Artifact]) -> Iterable[str]:
    for one in artifacts:
        yield f"{one.groupId}:{one.artifactId}:{one.version} {_sha256(one.resolve())}\n"


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def main() -> int:
    """Download, or lock. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lock", metavar="VERSION")
    version = parser.parse_args().lock
    try:
        if version is None:
            download()
        else:
            lock(version)
    except ImustreamError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
