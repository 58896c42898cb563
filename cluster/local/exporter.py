"""The exporter of the local stack: what its processes count, and what Kafka and Mosquitto say."""

import sys
from pathlib import Path

from cluster.local.server import Port, Server, awaited_port
from pipelines.metric_kinds import FOLDER_VARIABLE
from pipelines.settings import Settings


def metrics_environment(settings: Settings, runtime_dir: Path) -> dict[str, str]:
    """What every process of the stack needs to keep metrics; nothing where nobody asked."""
    if not settings.local.monitoring:
        return {}
    return {FOLDER_VARIABLE: str(runtime_dir / "metrics")}


def exporter_server(settings: Settings) -> Server:
    """The exporter, on loopback like every server of the stack."""
    port = settings.metrics.port
    return Server(
        name="exporter",
        title="metrics exporter",
        command=[sys.executable, "-m", "cluster.monitoring.exporter", "--books", "--mqtt"],
        prepare=lambda: None,
        awaited=lambda: awaited_port(port),
        ports=(Port(port, "IMUSTREAM_METRICS__PORT"),),
    )
