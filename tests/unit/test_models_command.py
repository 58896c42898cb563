"""`imustream models` on a store in a folder."""

import json
from pathlib import Path
from typing import Any

import pytest
from small_model import small_model_files
from typer.testing import CliRunner

from cluster.cli import build_app
from pipelines.errors import ConflictError, DataError, NotFoundError
from pipelines.models.model_files import ONNX_FILE


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMUSTREAM_MODELS__URL", f"file://{tmp_path}/store")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files of a model."""
    folder = tmp_path / "model"
    folder.mkdir()
    for file, content in small_model_files().items():
        (folder / file).write_bytes(content)
    return folder


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(build_app(), ["models", *map(str, arguments)])
    if result.exception is not None:
        raise result.exception
    return result.stdout


def run_json(*arguments: str | Path) -> Any:
    return json.loads(run(*arguments, "--json"))


def test_a_model_is_pushed_promoted_and_taken_back(folder: Path) -> None:
    assert "no models" in run("list")
    assert run_json("push", folder)["version"] == "1"
    pushed = run_json("push", folder, "--version", "2", "--candidate")
    assert (pushed["name"], pushed["version"], pushed["candidate"]) == ("velocity", "2", True)
    assert run_json("promote", "velocity", "1")["stable"] == "1"
    assert run_json("promote", "velocity")["stable"] == "2"
    assert run("rollback", "velocity") == "velocity: stable 1 (before: 2), candidate none\n"
    assert run_json("list") == {
        "models": [
            {
                "name": "velocity",
                "versions": ["1", "2"],
                "stable": "1",
                "candidate": None,
                "previous": "2",
            }
        ]
    }
    assert run("list").split()[-2:] == ["1", "2"]
    shown = run_json("show", "velocity")
    assert (shown["model"]["version"], shown["channels"]["stable"]) == ("1", "1")
    assert "versions 1, 2; stable 1" in run("show", "velocity", "2")


def test_a_version_that_exists_is_refused(folder: Path) -> None:
    run("push", folder)
    with pytest.raises(ConflictError, match="has a version 1 already"):
        run("push", folder)


def test_a_model_that_is_none_is_refused_and_not_kept(folder: Path) -> None:
    (folder / ONNX_FILE).write_bytes(b"nonsense")
    with pytest.raises(DataError, match="sha256"):
        run("push", folder)
    (folder / ONNX_FILE).unlink()
    with pytest.raises(DataError, match=r"model\.onnx is missing"):
        run("push", folder)
    assert run_json("list") == {"models": []}


def test_what_is_not_there_is_said(folder: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no model velocity"):
        run("show", "velocity")
    run("push", folder)
    with pytest.raises(NotFoundError, match="no version 3"):
        run("show", "velocity", "3")
    with pytest.raises(NotFoundError, match="no candidate"):
        run("promote", "velocity")
