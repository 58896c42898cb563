"""How much memory each part of the local stack holds."""

import contextlib
from collections import defaultdict

import psutil

from cluster.bench.cpu import part_of
from cluster.local.processes import marked_processes


def memory_bytes(stack_id: str) -> dict[str, int]:
    """Return the resident memory of the stack's processes by part."""
    held: defaultdict[str, int] = defaultdict(int)
    for process in marked_processes(stack_id):
        with contextlib.suppress(psutil.Error):
            held[part_of(process)] += process.memory_info().rss
    return dict(held)
