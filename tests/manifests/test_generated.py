"""What is generated is as its source has it now."""

from collections.abc import Mapping
from typing import Any

import pytest

from cluster.kubernetes.generated import generated
from cluster.local.mosquitto import mosquitto_server
from cluster.setup.paths import ROOT
from pipelines.settings import load_settings
from tests.manifests.rendering import Object, of_kind


def test_rules_and_dashboards_are_those_of_the_monitoring() -> None:
    for file, text in generated().items():
        assert file.read_text() == text, "run `python -m cluster.kubernetes.generated`"


def test_grafana_gets_every_dashboard_in_one_config_map(
    rendered: Mapping[str, list[Object]],
) -> None:
    (found,) = (
        one["data"]
        for one in of_kind(rendered["production"], "ConfigMap")
        if one["metadata"]["name"].startswith("grafana-dashboards-")
    )
    folder = ROOT / "cluster" / "monitoring" / "dashboards" / "generated"
    assert found and found == {file.name: file.read_text() for file in folder.glob("*.json")}
    # The API server takes no larger object.
    assert sum(map(len, found.values())) < 1_000_000


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
