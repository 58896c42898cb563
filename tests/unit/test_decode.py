"""`imustream decode` on captured payloads."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cluster.cli import build_app
from pipelines.errors import DataError

GOLDEN = Path(__file__).parents[1] / "data" / "frames.jsonl"


def test_every_golden_line_is_printed_as_the_fixture_has_it() -> None:
    result = CliRunner().invoke(build_app(), ["decode", str(GOLDEN)], catch_exceptions=False)
    expected = [json.loads(line) for line in GOLDEN.read_text(encoding="utf-8").splitlines()]
    printed = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(printed) == len(expected) == 18
    for found, line in zip(printed, expected, strict=True):
        assert found == approximately(line)


def test_json_may_be_asked_for_and_changes_nothing() -> None:
    printed = [
        CliRunner().invoke(build_app(), ["decode", "--hex", "7c", *more], catch_exceptions=False)
        for more in ([], ["--json"])
    ]
    assert json.loads(printed[0].stdout)["dead_letters"]
    assert printed[1].stdout == printed[0].stdout


def approximately(value: object) -> object:
    if isinstance(value, float):
        return pytest.approx(value, rel=1e-12)
    if isinstance(value, dict):
        return {name: approximately(part) for name, part in value.items()}
    if isinstance(value, list):
        return [approximately(part) for part in value]
    return value


def test_lines_come_from_standard_input_too() -> None:
    line = GOLDEN.read_text(encoding="utf-8").splitlines()[5]
    result = CliRunner().invoke(build_app(), ["decode"], input=line, catch_exceptions=False)
    assert json.loads(result.stdout)["frames"][0]["num_samples"] == 0


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "standard input, line 1: no JSON"),
        ('{"payload_hex": 3}', r"\$\.payload_hex"),
        ('{"payload_hex": "7c1"}', "not hexadecimal"),
    ],
)
def test_a_wrong_line_is_named_with_what_is_wrong(line: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        CliRunner().invoke(build_app(), ["decode"], input=line, catch_exceptions=False)
