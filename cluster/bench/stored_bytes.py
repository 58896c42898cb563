"""How many bytes the local stack's topics and archive take on disk."""

from collections import defaultdict
from pathlib import Path

from pipelines.topics import TOPICS


def topic_bytes(state_dir: Path) -> dict[str, int]:
    """Return the bytes of each topic's segments over all local brokers; indexes are left out.

    Replicas count as often as there are brokers that hold them.
    """
    names = {topic.name for topic in TOPICS}
    held: defaultdict[str, int] = defaultdict(int)
    for segment in state_dir.glob("kafka-*/data/*/*.log"):
        topic = segment.parent.name.rpartition("-")[0]
        if topic in names:
            held[topic] += segment.stat().st_size
    return dict(held)


def archive_bytes(folder: Path) -> dict[str, int]:
    """Return the bytes of each topic's Parquet files in an archive that is a folder."""
    held: defaultdict[str, int] = defaultdict(int)
    for file in folder.glob("*/dt=*/hour=*/*.parquet"):
        held[file.relative_to(folder).parts[0]] += file.stat().st_size
    return dict(held)


def growth(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """Return what was added under each name, where anything was."""
    return {name: held - before.get(name, 0) for name, held in after.items()}
