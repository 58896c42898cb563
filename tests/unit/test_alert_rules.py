"""Recording and alert rules, by promtool: every alert fires where it should and nowhere else."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.local.prometheus import RULES
from cluster.setup import tools

_CASES = Path(__file__).with_name("alerts.promtool.yaml")
_ALERTS = {
    "ImustreamLagGrows",
    "ImustreamDeadLettersFlood",
    "ImustreamWatermarkStandsStill",
    "ImustreamSensorSilent",
    "ImustreamCommitsFail",
    "ImustreamCertificateNearEnd",
    "ImustreamDiskNearlyFull",
    "ImustreamTargetDown",
    "ImustreamBridgeDisconnected",
    "ImustreamArchiveStale",
    "ImustreamSlotsMissing",
}


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((RULES / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def run_promtool(*arguments: str | Path, folder: Path) -> None:
    program = tools.promtool()
    done = subprocess.run(
        [program.path, *arguments],
        cwd=folder,
        env=program.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_finds_no_fault_in_the_rules() -> None:
    run_promtool("check", "rules", *sorted(RULES.glob("*.yaml")), folder=RULES)


def test_each_alert_fires_where_it_should_and_nowhere_else(tmp_path: Path) -> None:
    for file in (*RULES.glob("*.yaml"), _CASES):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    run_promtool("test", "rules", _CASES.name, folder=tmp_path)


def test_each_alert_has_a_case_in_which_it_fires() -> None:
    cases = yaml.safe_load(_CASES.read_text())["tests"]
    fires = {
        asked["alertname"]
        for case in cases
        for asked in case.get("alert_rule_test", ())
        if asked.get("exp_alerts")
    }
    assert fires == _ALERTS == {rule["alert"] for rule in alerts()}


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_how_grave_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"] and rule["annotations"]["description"]
    assert rule["annotations"]["runbook"] == f"docs/runbooks/{rule['alert']}.md"
