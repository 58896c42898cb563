"""The Ray head: one node on 127.0.0.1 with its dashboard."""

import os
import sys
from pathlib import Path

from cluster.local.server import Port, Server, awaited_port
from pipelines.settings import LocalSettings, Settings
from serve.proxy_environment import GUARDED, proxy_environment

_HAPROXY_ON_LOOPBACK = Path(__file__).with_name("haproxy-on-loopback")
_LOG_BYTES = 10_000_000
_LOG_BACKUPS = 2


def ray_folder(runtime_dir: Path) -> Path:
    """Ray's sessions. Their sockets stand some 80 characters below, of the 107 there may be."""
    return runtime_dir / "ray"


def ray_environment() -> dict[str, str]:
    """What the head, its workers and every driver of this cluster must have alike."""
    return {
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        # Without this Ray listens on every interface; its name tells of where it is the default.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    }


def ray_server(settings: Settings, runtime_dir: Path) -> Server:
    """The Ray head; it ends what a killed predecessor left before it starts."""
    local = settings.local
    proxy_ports = (local.proxy_port, local.proxy_port + 1, local.proxy_port + 2)
    folder = ray_folder(runtime_dir)
    return Server(
        name="ray",
        title="Ray",
        command=[sys.executable, "-m", "cluster.local.ray_start", str(folder)],
        environment={
            **proxy_environment(runtime_dir / "proxy", proxy_ports, settings.serve),
            "RAY_SERVE_HAPROXY_BINARY_PATH": str(_HAPROXY_ON_LOOPBACK),
            "IMUSTREAM_HAPROXY_GUARDED": str(GUARDED),
            "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
            # A job's `python` is the one that has our packages.
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            # By default actors yield to everything else on the machine, also to the very fleet
            # whose frames they should keep up with.
            "RAY_worker_niceness": "0",
            # Else it would start a Python process for each of the logical CPUs.
            "RAY_prestart_worker_first_driver": "0",
            **_metrics_ports(local),
            "RAY_task_events_report_interval_ms": "0",
            "RAY_BACKEND_LOG_JSON": "1" if settings.logging.format == "json" else "0",
            "RAY_ROTATION_MAX_BYTES": str(_LOG_BYTES),
            "RAY_ROTATION_BACKUP_COUNT": str(_LOG_BACKUPS),
        },
        prepare=lambda: folder.mkdir(parents=True, exist_ok=True),
        awaited=lambda: awaited_port(local.ray_port) or awaited_port(local.dashboard_port),
        ports=(
            Port(local.ray_port, "IMUSTREAM_LOCAL__RAY_PORT"),
            Port(local.dashboard_port, "IMUSTREAM_LOCAL__DASHBOARD_PORT"),
            Port(settings.serve.port, "IMUSTREAM_SERVE__PORT"),
            *(Port(port, "IMUSTREAM_LOCAL__PROXY_PORT") for port in proxy_ports),
            *_ports_of_metrics(local),
        ),
        stop_wait_s=15,
    )


def _ports_of_metrics(local: LocalSettings) -> list[Port]:
    """Return the ports of Ray's own metrics: node and Serve, autoscaler, dashboard."""
    first = local.ray_metrics_port
    setting = "IMUSTREAM_LOCAL__RAY_METRICS_PORT"
    return [Port(first + k, setting) for k in range(3)] if local.monitoring else []


def _metrics_ports(local: LocalSettings) -> dict[str, str]:
    ports = _ports_of_metrics(local)
    # 0: any free port, which nobody would find. The defaults collide with another Ray.
    autoscaler, dashboard = (ports[1].number, ports[2].number) if ports else (0, 0)
    return {"AUTOSCALER_METRIC_PORT": str(autoscaler), "DASHBOARD_METRIC_PORT": str(dashboard)}
