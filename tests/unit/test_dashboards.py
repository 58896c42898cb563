"""Dashboards: what is committed is what the code makes, and every query asks for what there is."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.models.dashboard import Dashboard

from cluster.monitoring.dashboards.__main__ import GENERATED, write
from cluster.monitoring.dashboards.board import RATE, Board, Panel, Query
from cluster.monitoring.dashboards.catalogue import BOARDS
from cluster.setup import tools
from cluster.setup.paths import ROOT
from pipelines import metrics
from pipelines.metric_kinds import Book, Histogram, Metric
from tests.promql_names import labels_of, metrics_of

EXTERNAL = {
    "up": {"job", "instance"},
    "ALERTS": {"alertname", "alertstate"},
    "ray_node_cpu_utilization": {"instance"},
    "ray_node_mem_used": {"instance"},
}
"""What is not ours: Prometheus' own, and Ray's."""


def queries() -> Iterator[tuple[Board, Panel, Query]]:
    for board in BOARDS:
        for panel in board.panels():
            for query in panel.queries:
                yield board, panel, query


def every_name(expression: str) -> Any:
    return pytest.param(expression, id=expression[:60])


def ours() -> dict[str, set[str]]:
    """Every metric that there may be of ours, with its labels."""
    known: dict[str, set[str]] = {}
    for metric in vars(metrics).values():
        if isinstance(metric, Histogram):
            known |= {
                f"{metric.name}{part}": {*metric.labels, "le"}
                for part in ("_bucket", "_sum", "_count")
            }
        elif isinstance(metric, Metric | Book):
            known[metric.name] = set(metric.labels)
    for rule in recording_rules():
        asked = labels_of(rule["expr"])
        known[rule["record"]] = asked
    return known


def recording_rules() -> list[dict[str, str]]:
    text = (ROOT / "cluster/monitoring/rules/recording.yaml").read_text()
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def test_the_committed_json_is_what_the_code_makes(tmp_path: Path) -> None:
    write(tmp_path)
    made = {file.name: file.read_text() for file in tmp_path.iterdir()}
    committed = {file.name: file.read_text() for file in GENERATED.iterdir()}
    assert committed == made, "run `python -m cluster.monitoring.dashboards`"


def test_grafanas_own_schema_reads_every_dashboard_back() -> None:
    for file in GENERATED.iterdir():
        read = Dashboard.from_json(json.loads(file.read_text()))
        assert read.uid == file.stem
        panels = [panel for panel in read.panels or [] if panel.type_val != "row"]
        ids = [panel.id_val for panel in read.panels or []]
        assert len(set(ids)) == len(ids), "two panels have one id"
        for panel in panels:
            assert panel.title
            assert panel.description
            assert panel.grid_pos is not None
            assert panel.grid_pos.x + panel.grid_pos.w <= 24


@pytest.mark.parametrize("expression", [every_name(query.expr) for _, _, query in queries()])
def test_every_query_asks_for_metrics_and_labels_that_there_are(expression: str) -> None:
    known = ours() | EXTERNAL
    named = metrics_of(expression)
    assert named <= known.keys()
    labels = set().union(*(known[name] for name in named)) | {"instance", "job"}
    assert labels_of(expression) <= labels


def test_a_legend_names_labels_that_its_query_keeps() -> None:
    for _, panel, query in queries():
        shown = {part.split("}}")[0] for part in query.legend.split("{{")[1:]}
        assert shown <= labels_of(query.expr), panel.title
        assert len(panel.queries) == 1 or query.legend, panel.title


def test_every_query_is_promql(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:query:{number}", "expr": _plain(query.expr)}
        for number, (_, _, query) in enumerate(queries())
    ]
    file = tmp_path / "queries.yaml"
    file.write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    program = tools.promtool()
    done = subprocess.run(
        [program.path, "check", "rules", file],
        env=program.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout + done.stderr


def _plain(expression: str) -> str:
    """The expression as Grafana sends it: its own variables filled in."""
    for board in BOARDS:
        for label, _ in board.variables:
            expression = expression.replace(f"${label}", ".*")
    return expression.replace(RATE, "1m")


def test_variables_are_labels_of_their_metrics() -> None:
    known = ours()
    for board in BOARDS:
        for label, metric in board.variables:
            assert label in known[metric]


def test_what_is_provisioned_is_what_the_dashboards_name() -> None:
    folder = ROOT / "cluster/monitoring/provisioning"
    sources = yaml.safe_load((folder / "datasources/prometheus.yaml").read_text())
    (source,) = sources["datasources"]
    providers = yaml.safe_load((folder / "dashboards/imustream.yaml").read_text())
    assert providers["providers"][0]["options"]["path"]
    for file in GENERATED.iterdir():
        for panel in json.loads(file.read_text())["panels"]:
            if panel["type"] != "row":
                assert panel["datasource"] == {"type": "prometheus", "uid": source["uid"]}


def test_names_in_an_expression_are_told_from_functions_labels_and_words() -> None:
    expression = (
        'histogram_quantile(0.9, sum by (le, a) (rate(m_bucket{b=~"up"}[1m]))) / 1e6 '
        "unless on (c) (max by (c) (imustream:x:rate1m) == bool 1) or vector(0)"
    )
    assert metrics_of(expression) == {"m_bucket", "imustream:x:rate1m"}
    assert labels_of(expression) == {"le", "a", "b", "c"}
