"""What is generated is as its source has it now."""

from typing import Any

import pytest

from cluster.kubernetes.generated import generated
from cluster.local.mosquitto import mosquitto_server
from cluster.setup.paths import ROOT
from pipelines.settings import load_settings


def test_rules_and_dashboards_are_those_of_the_monitoring() -> None:
    for file, text in generated().items():
        assert file.read_text() == text, "run `python -m cluster.kubernetes.generated`"


def test_the_dashboards_fit_into_one_config_map() -> None:
    folder = ROOT / "cluster" / "monitoring" / "dashboards"
    assert sum(file.stat().st_size for file in folder.glob("*.json")) < 1_000_000


# What differs on a cluster: where files lie, who may listen where, and how logs go.
_PLACES = (
    "user",
    "plugin",
    "plugin_opt_config_file",
    "persistence_location",
    "certfile",
    "keyfile",
)


def _lines(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    kept = [line for line in lines if line.split()[0] not in _PLACES]
    # A listener is known by its port; its address is the machine's.
    return [" ".join(line.split()[:2]) if line.startswith("listener") else line for line in kept]


def test_mosquitto_is_as_on_one_machine(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    mosquitto_server(load_settings(), tmp_path).prepare()
    local = (tmp_path / "mosquitto" / "mosquitto.conf").read_text()
    cluster = (
        ROOT / "cluster" / "kubernetes" / "base" / "mosquitto" / "mosquitto.conf"
    ).read_text()
    assert _lines(cluster) == _lines(local)
