"""`python -m cluster.monitoring.exporter`: all metrics of a machine or a pod, for Prometheus.

It serves them at ``metrics.host``:``metrics.port``, path ``/metrics``: what processes of ours keep
in the folder that ``PROMETHEUS_MULTIPROC_DIR`` names, the free disk and the ends of certificates
where it runs. One of the exporters of an installation also reads, with ``--books``, what Kafka
says, and with ``--mqtt`` what Mosquitto says of itself.
"""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from prometheus_client import CollectorRegistry, start_http_server

from cluster.monitoring.books import Books
from cluster.monitoring.certificate_ends import CertificateEnds, certificates_of
from cluster.monitoring.disks import Disks, folders_of
from cluster.monitoring.kafka_cluster import KafkaCluster
from cluster.monitoring.monitored_sensors import MonitoredSensors
from cluster.monitoring.mqtt_broker import MqttBroker
from cluster.monitoring.process_files import ProcessFiles
from pipelines.errors import ImustreamError, UnavailableError
from pipelines.logs import configure_logging
from pipelines.metric_kinds import FOLDER_VARIABLE
from pipelines.settings import Settings, load_settings
from serve.observation import Observation

_CHECK_S = 1.0


def main() -> int:
    """Serve until SIGTERM or Ctrl-C; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--books", action="store_true", help="read Kafka's ledgers and marks too")
    parser.add_argument("--mqtt", action="store_true", help="ask Mosquitto too")
    arguments = parser.parse_args()
    try:
        settings = load_settings()
        configure_logging(settings, "exporter")
        _serve(settings, books=arguments.books, mqtt=arguments.mqtt)
    except ImustreamError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _serve(settings: Settings, *, books: bool, mqtt: bool) -> None:
    stopping = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    registry = CollectorRegistry()
    registry.register(Disks(folders_of(settings)))
    registry.register(CertificateEnds(certificates_of(settings)))
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder:
        registry.register(ProcessFiles(Path(folder)))
    ends: list[Callable[[], None]] = []
    checks: list[Callable[[], None]] = []
    if mqtt:
        broker = MqttBroker(settings.mqtt)
        registry.register(broker)
        ends.append(broker.stop)
    if books:
        observation = Observation(settings)
        observation.start()
        ends.append(observation.stop)
        checks.append(observation.check)
        registry.register(KafkaCluster(settings.kafka))
        registry.register(Books(observation, MonitoredSensors(settings)))
    place = settings.metrics
    try:
        server, _ = start_http_server(place.port, place.host, registry)
    except OSError as error:
        raise UnavailableError(
            f"{place.host}:{place.port} cannot be listened on ({error.strerror}): choose another "
            "with IMUSTREAM_METRICS__HOST and IMUSTREAM_METRICS__PORT"
        ) from None
    while not stopping.wait(_CHECK_S):
        for check in checks:
            check()
    server.shutdown()
    for end in ends:
        end()


if __name__ == "__main__":
    sys.exit(main())
