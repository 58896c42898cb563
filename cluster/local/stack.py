"""The local stack: starts its servers in order, knows when they serve, and stops them all."""

import time
from collections.abc import Sequence

from pydantic import SecretStr

from cluster.local.applications import applications_server
from cluster.local.documentdb import documentdb_server
from cluster.local.exporter import exporter_server, metrics_environment
from cluster.local.kafka import broker_ports, kafka_servers
from cluster.local.mosquitto import mosquitto_server
from cluster.local.mqtt_users import fill_in_users
from cluster.local.ports import require_free
from cluster.local.processes import MARK, end_marked, marked_processes
from cluster.local.prometheus import prometheus_server
from cluster.local.ray_head import ray_environment, ray_server
from cluster.local.s3_gateway import ACCESS_KEY, BUCKET, endpoint_url, s3_gateway_server
from cluster.local.server import Progress, Server
from cluster.local.settings_environment import child_environment, differing_environment
from cluster.local.state_folder import StateFolder
from cluster.local.supervision import ProcessState, Supervision
from cluster.setup.paths import ROOT
from pipelines.errors import UnavailableError
from pipelines.settings import Settings, load_settings

PARTS = ("kafka", "mosquitto", "documentdb", "ray", "applications")
"""The parts of every stack, in the order they start; `kafka` may be several brokers."""

S3 = "s3"
"""The part that only a stack with ``local.s3`` has."""

MONITORING = ("exporter", "prometheus")
"""The parts that only a stack with ``local.monitoring`` has."""

EVERY_PART = ("kafka", "mosquitto", "documentdb", S3, "ray", "applications", *MONITORING)

_POLL_S = 0.1
_SHUTDOWN_WAIT_S = 60.0


def _quiet(title: str, event: str) -> None:
    """Report nothing."""


class Stack:
    """All servers of one state folder, or the named parts of them."""

    def __init__(self, settings: Settings, parts: Sequence[str] | None = None) -> None:
        """Describe the stack that ``settings`` ask for; nothing is started or written yet."""
        self.folder = StateFolder(settings.local.state_dir)
        local = settings.local
        wanted = [*(parts or (*PARTS, *([S3] if local.s3 else [])))]
        if local.monitoring:
            wanted += MONITORING
        self.parts = tuple(part for part in EVERY_PART if part in wanted)
        self.settings = self._with_own_choices(settings)
        self.supervision = Supervision(self.folder.path, self.folder.runtime_dir)

    def _with_own_choices(self, settings: Settings) -> Settings:
        """The settings with what follows from running every server here."""
        chosen = settings.model_copy(deep=True)
        brokers = settings.local.brokers
        ports = broker_ports(settings)
        chosen.kafka.bootstrap_servers = ",".join(f"127.0.0.1:{port}" for port in ports)
        chosen.kafka.replication_factor = brokers
        chosen.kafka.min_insync_replicas = min(2, brokers)
        chosen.ray.address = f"127.0.0.1:{settings.local.ray_port}"
        chosen.local.state_dir = self.folder.path
        if S3 in self.parts:
            chosen.s3.endpoint_url = settings.s3.endpoint_url or endpoint_url(settings)
            chosen.s3.access_key = settings.s3.access_key or ACCESS_KEY
        # What is kept in folders unless told otherwise is kept in this stack's, or in its S3.
        store = f"s3://{BUCKET}" if S3 in self.parts else f"file://{self.folder.path}"
        if "url" not in settings.models.model_fields_set:
            chosen.models.url = f"{store}/models"
        if "url" not in settings.archive.model_fields_set:
            chosen.archive.url = f"{store}/archive"
        return chosen

    def servers(self) -> list[Server]:
        """The servers in the order they start.

        Raises:
            ToolMissingError: a program is not installed.
        """
        servers: list[Server] = []
        if "kafka" in self.parts:
            servers += kafka_servers(self.settings, self.folder.path)
        if "mosquitto" in self.parts:
            servers.append(mosquitto_server(self.settings, self.folder.path))
        if "documentdb" in self.parts:
            servers.append(documentdb_server(self.settings, self.folder.path))
        if S3 in self.parts:
            servers.append(s3_gateway_server(self.settings, self.folder.path))
        if "ray" in self.parts:
            servers.append(ray_server(self.settings, self.folder.runtime_dir))
        if "applications" in self.parts:
            servers.append(applications_server(self.settings, self.folder))
        if "exporter" in self.parts:
            servers.append(exporter_server(self.settings))
        if "prometheus" in self.parts:
            folders = self.folder.path, self.folder.runtime_dir
            servers.append(prometheus_server(self.settings, *folders))
        return servers

    def up(self, progress: Progress = _quiet) -> bool:
        """Start whatever is not running, and wait until all of it serves.

        Returns:
            False if everything ran already.

        Raises:
            UnavailableError: a port is taken, or a server does not come up.
            ToolMissingError: a program is not installed.
        """
        with self.folder.locked():
            if S3 in self.parts and self.settings.s3.secret_key is None:
                self.settings.s3.secret_key = SecretStr(self.folder.s3_secret())
            if "mosquitto" in self.parts and not self.settings.local.mqtt_anonymous:
                fill_in_users(self.settings.mqtt, self.folder)
            servers = self.servers()
            if not self.supervision.running():
                self._start_supervision(servers)
            running = {process.name for process in self.supervision.processes() if process.pid}
            missing = [server for server in servers if server.name not in running]
            for server in missing:
                self._prepare(server, progress)
                self.supervision.start_process(server.name)
            for server in servers:
                self._wait_for(server, progress)
            return bool(missing)

    def _start_supervision(self, servers: Sequence[Server]) -> None:
        old = self.folder.record()
        if old is not None:
            end_marked(old.stack_id)
        for server in servers:
            for port in server.ports:
                require_free(server, port)
        if self.settings.auth.signing_key is None:
            self.settings.auth.signing_key = SecretStr(self.folder.signing_key())
        chosen = differing_environment(self.settings, load_settings())
        record = self.folder.write_record({**(old.settings if old else {}), **chosen})
        self.supervision.write(servers)
        environment = {
            **child_environment(self.settings, ROOT),
            **ray_environment(),
            **metrics_environment(self.settings, self.folder.runtime_dir),
        }
        self.supervision.start({**environment, MARK: record.stack_id})

    def _prepare(self, server: Server, progress: Progress) -> None:
        for port in server.ports:
            require_free(server, port)
        progress(server.title, "starting")
        server.prepare()

    def _wait_for(self, server: Server, progress: Progress) -> None:
        deadline = time.monotonic() + server.start_wait_s
        while (missing := server.awaited()) is not None:
            state = self.supervision.state_of(server.name)
            if state.state == "fatal" or time.monotonic() > deadline:
                raise UnavailableError(
                    f"{server.title} does not come up, waiting for {missing}; "
                    f"{self.supervision.last_words(server.name)}"
                )
            progress(server.title, f"waiting for {missing}")
            time.sleep(_POLL_S)
        server.settle()
        progress(server.title, "up")

    def down(self, progress: Progress = _quiet) -> int:
        """Stop everything that `up` started. Returns how many processes had to be ended by force.

        The data stay.
        """
        with self.folder.locked():
            record = self.folder.record()
            running = [process.name for process in self.supervision.processes() if process.pid]
            for part in reversed(self.parts):
                names = [name for name in running if _part_of(name) == part]
                if names:
                    progress(part, "stopping")
                    self.supervision.stop_processes(names)
            self.supervision.shutdown(_SHUTDOWN_WAIT_S)
            left = end_marked(record.stack_id) if record is not None else 0
            self.folder.forget_record()
            return left

    def is_up(self) -> bool:
        """Whether `up` has been run and not yet `down`."""
        return self.folder.record() is not None and self.supervision.running()

    def processes(self) -> list[ProcessState]:
        """The supervised processes, in the order they start."""
        return self.supervision.processes()

    def all_pids(self) -> list[int]:
        """Every process of the stack, supervised or descended from one."""
        record = self.folder.record()
        return [] if record is None else [p.pid for p in marked_processes(record.stack_id)]

    def start(self, part: str) -> None:
        """Start one part (`kafka`) or server (`kafka-2`) and wait until it serves."""
        for server in self._named(part):
            self.supervision.start_process(server.name)
        for server in self._named(part):
            self._wait_for(server, _quiet)

    def stop(self, part: str) -> None:
        """Stop one part in good order and wait until it has ended; it stays stopped."""
        self.supervision.stop_processes([server.name for server in self._named(part)])

    def kill(self, part: str) -> None:
        """Send SIGKILL to one part; it is started again at once."""
        for server in self._named(part):
            self.supervision.kill_process(server.name)

    def wait_for(self, part: str) -> None:
        """Wait until one part serves."""
        for server in self._named(part):
            self._wait_for(server, _quiet)

    def pid(self, part: str) -> int:
        """The process id of a part's (first) server."""
        name = self._named(part)[0].name
        pid = self.supervision.state_of(name).pid
        if pid is None:
            raise UnavailableError(f"{name} is not running")
        return pid

    def _named(self, part: str) -> list[Server]:
        found = [one for one in self.servers() if part in (one.name, _part_of(one.name))]
        if not found:
            raise UnavailableError(f"{part!r} is no part of this stack: {', '.join(self.parts)}")
        return found


def _part_of(name: str) -> str:
    """The part a server belongs to: `kafka` for `kafka-2`."""
    part, _, number = name.rpartition("-")
    return part if number.isdigit() else name
