"""Reads the archive's files to be verified: what they say of themselves, and their rows."""

from collections.abc import Sequence
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.archive.layout import parse_path, topic_prefix
from pipelines.archive.object_store import ObjectStore
from pipelines.archive.schemas import SCHEMAS
from pipelines.verify.archived_ranges import FileFacts

UNREADABLE: Final = (pa.ArrowInvalid, OSError, KeyError, ValueError)
"""What a file raises that is gone, or is not one of ours."""

_PREFIX = "imustream."


def paths_of(store: ObjectStore, topic: str) -> dict[int, list[str]]:
    """Return the paths of a topic's files by partition; raises as the store."""
    found: dict[int, list[str]] = {}
    for path, _ in store.files(topic_prefix(topic)):
        file = parse_path(path)
        if file is not None:
            found.setdefault(file.range.partition, []).append(path)
    return found


def read_facts(store: ObjectStore, path: str) -> FileFacts:
    """Read a file's footer; raises one of `UNREADABLE`."""
    file = parse_path(path)
    assert file is not None
    with store.open(path) as source:
        metadata = pq.read_metadata(source)
    told = {key.decode(): value.decode() for key, value in (metadata.metadata or {}).items()}
    for name, value in file.range._asdict().items():
        if told[_PREFIX + name] != str(value):
            raise ValueError(f"its metadata say {name} {told[_PREFIX + name]}")
    records, rows, files = (int(told[_PREFIX + n]) for n in ("records", "rows", "files"))
    return FileFacts(path, file, metadata.num_rows, records, rows, files)


def read_rows(store: ObjectStore, topic: str, files: Sequence[FileFacts]) -> list[pa.Table]:
    """Read the rows of each file of a range; raises one of `UNREADABLE`."""
    tables = []
    for file in files:
        with store.open(file.path) as source:
            table = pq.ParquetFile(source).read()
        if not table.schema.equals(SCHEMAS[topic]):
            raise ValueError(f"the columns of {file.path} are not those of {topic}'s files")
        tables.append(table)
    return tables
