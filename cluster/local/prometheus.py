"""Prometheus for the local stack: what it asks, the rules it works out, where it keeps it."""

import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

import orjson

from cluster.local.ray_head import ray_folder
from cluster.local.server import CONNECT_TIMEOUT_S, Port, Server
from cluster.setup import tools
from cluster.setup.paths import ROOT
from pipelines.settings import Settings

RULES: Final = ROOT / "cluster" / "monitoring" / "rules"
_HOST: Final = "127.0.0.1"
_RAY_TARGETS: Final = "prom_metrics_service_discovery.json"
"""Ray writes its own targets there: node and Serve, dashboard, autoscaler."""


def prometheus_url(settings: Settings) -> str:
    """Where it serves."""
    return f"http://{_HOST}:{settings.local.prometheus_port}"


def prometheus_server(settings: Settings, folder: Path, runtime_dir: Path) -> Server:
    """Prometheus, its data under ``folder``.

    Raises:
        ToolMissingError: it is not installed.
    """
    program = tools.prometheus()
    home = folder / "prometheus"
    local = settings.local
    return Server(
        name="prometheus",
        title="Prometheus",
        command=[
            str(program.path),
            f"--config.file={home / 'prometheus.yml'}",
            f"--storage.tsdb.path={home / 'data'}",
            f"--storage.tsdb.retention.time={local.prometheus_days}d",
            f"--web.listen-address={_HOST}:{local.prometheus_port}",
            "--log.level=warn",
        ],
        environment=program.environment,
        prepare=lambda: _prepare(settings, home, runtime_dir),
        awaited=lambda: _awaited(settings),
        ports=(Port(local.prometheus_port, "IMUSTREAM_LOCAL__PROMETHEUS_PORT"),),
    )


def configuration(settings: Settings, runtime_dir: Path) -> dict[str, Any]:
    """Return what Prometheus' configuration says, as its YAML."""
    every = f"{settings.local.scrape_s}s"
    rules = settings.local.prometheus_rules or RULES
    ray_targets = ray_folder(runtime_dir) / _RAY_TARGETS
    return {
        "global": {
            "scrape_interval": every,
            "scrape_timeout": every,
            "evaluation_interval": every,
        },
        "rule_files": [f"{rules.resolve()}/*.yaml"],
        "scrape_configs": [
            {"job_name": "imustream", **_at(settings.metrics.port)},
            {"job_name": "ray", "file_sd_configs": [{"files": [str(ray_targets)]}]},
            {"job_name": "prometheus", **_at(settings.local.prometheus_port)},
        ],
    }


def _at(port: int) -> dict[str, Any]:
    return {"static_configs": [{"targets": [f"{_HOST}:{port}"]}]}


def _prepare(settings: Settings, home: Path, runtime_dir: Path) -> None:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    # JSON is YAML too.
    written = orjson.dumps(configuration(settings, runtime_dir), option=orjson.OPT_INDENT_2)
    (home / "prometheus.yml").write_bytes(written)


def _awaited(settings: Settings) -> str | None:
    """Say what is missing while Prometheus does not say itself that it is ready."""
    try:
        url = f"{prometheus_url(settings)}/-/ready"
        with urllib.request.urlopen(url, timeout=CONNECT_TIMEOUT_S):
            return None
    except (urllib.error.URLError, OSError):
        return "it to be ready"
