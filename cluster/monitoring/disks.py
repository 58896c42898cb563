"""How much disk is free where our folders lie."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cluster.monitoring.families import gauge
from pipelines import metrics
from pipelines.settings import Settings

_FILE_URL = "file://"


class Disks(Collector):
    """Collects the free bytes and the size of the disk of each folder."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders

    def collect(self) -> Iterator[Metric]:
        """Yield both; a folder that is not made yet counts as its parent."""
        free: GaugeMetricFamily = gauge(metrics.DISK_FREE_BYTES)
        size: GaugeMetricFamily = gauge(metrics.DISK_SIZE_BYTES)
        for folder in self._folders:
            there = next(each for each in (folder, *folder.parents) if each.exists())
            usage = shutil.disk_usage(there)
            free.add_metric([str(folder)], usage.free)
            size.add_metric([str(folder)], usage.total)
        yield free
        yield size


def folders_of(settings: Settings) -> list[Path]:
    """Return the folders that settings name, but those within another: they share its disk.

    That is what `metrics.folders` lists, and those of the archive, the models and the local stack.
    """
    urls = [settings.archive.url, settings.models.url]
    named = [Path(url.removeprefix(_FILE_URL)) for url in urls if url.startswith(_FILE_URL)]
    local = [folder for folder in [settings.local.state_dir] if folder.is_dir()]
    found = dict.fromkeys(each.resolve() for each in (*settings.metrics.folders, *local, *named))
    return [each for each in found if not found.keys() & set(each.parents)]
