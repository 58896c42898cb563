"""Servers beside the control plane, at an address that pods reach."""

import os
import subprocess
from pathlib import Path

from cluster.local.kafka import kafka_servers
from cluster.local.ports import settings_on_free_ports
from cluster.setup import tools
from cluster.setup.paths import VENV
from tests.kubernetes.network import GATEWAY, Network
from tests.kubernetes.processes import Processes

_LOOPBACK = "127.0.0.1"
_DOCUMENTDB_PORT = 27_017
_MQTT_PORT = 1_883
_NAMES = ("kafka", "documentdb", "mosquitto")
_MOSQUITTO = f"""\
listener {_MQTT_PORT} {GATEWAY}
allow_anonymous true
max_queued_messages 0
max_inflight_messages 0
user root
"""
_TRY = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 1)"


class Servers:
    """Kafka, Mosquitto and a document database; :attr:`environment` points settings at them."""

    def __init__(self, folder: Path, network: Network, processes: Processes) -> None:
        self._folder = folder
        self._network = network
        self._processes = processes
        self._settings = settings_on_free_ports(folder / "servers")
        # Ports that are free here are free in a namespace of its own too.
        port = self._settings.kafka.bootstrap_servers.rpartition(":")[2]
        self._kafka_port = int(port)
        self.environment = {
            "IMUSTREAM_KAFKA__BOOTSTRAP_SERVERS": f"{GATEWAY}:{port}",
            "IMUSTREAM_KAFKA__REPLICATION_FACTOR": "1",
            "IMUSTREAM_KAFKA__MIN_INSYNC_REPLICAS": "1",
            "IMUSTREAM_KAFKA__TLS": "false",
            "IMUSTREAM_MONGO__URI": f"mongodb://{GATEWAY}:{_DOCUMENTDB_PORT}",
            "IMUSTREAM_MQTT__HOST": GATEWAY,
            "IMUSTREAM_MQTT__PORT": str(_MQTT_PORT),
        }

    def start(self) -> None:
        """Start them; returns once they take connections."""
        self._folder.mkdir()
        (kafka,) = kafka_servers(self._settings, self._folder / "servers")
        kafka.prepare()
        properties = Path(kafka.command[-1])
        # Its controller stays where nobody else looks for it.
        here, there = (f"PLAINTEXT://{host}:{self._kafka_port}" for host in (_LOOPBACK, GATEWAY))
        properties.write_text(properties.read_text().replace(here, there))
        self._processes.start("kafka", self._network.command(kafka.command))
        documents = self._folder / "documents"
        documents.mkdir()
        command = [tools.documentdb(), f"{GATEWAY}:{_DOCUMENTDB_PORT}", documents]
        self._processes.start("documentdb", self._network.command(command))
        mosquitto = tools.mosquitto()
        configuration = self._folder / "mosquitto.conf"
        configuration.write_text(_MOSQUITTO)
        self._processes.start(
            "mosquitto",
            self._network.command([mosquitto.path, "-c", configuration]),
            {**os.environ, **mosquitto.environment},
        )
        self._wait("kafka", self._kafka_port)
        self._wait("documentdb", _DOCUMENTDB_PORT)
        self._wait("mosquitto", _MQTT_PORT)

    def stop(self) -> None:
        """End them, and what they hold."""
        for name in _NAMES:
            self._processes.stop(name)

    def _wait(self, name: str, port: int) -> None:
        self._processes.wait(name, f"port {port}", lambda: self._listens(port))

    def _listens(self, port: int) -> bool:
        words = [VENV / "bin" / "python", "-c", _TRY, GATEWAY, str(port)]
        done = subprocess.run(self._network.command(words), capture_output=True, check=False)
        return done.returncode == 0
