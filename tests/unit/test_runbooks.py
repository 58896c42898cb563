"""Runbooks: a page for each alert, and nothing in them that there is not."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from cluster.cli import build_app
from cluster.monitoring.dashboards.catalogue import BOARDS
from cluster.setup.paths import ROOT
from pipelines.settings import Settings

FOLDER = ROOT / "docs/runbooks"
PAGES = sorted(file for file in FOLDER.glob("*.md") if file.name != "README.md")
SECTIONS = ["Look at", "Do", "Over when"]

_CODE = re.compile(r"`([^`]+)`")
_PANEL = re.compile(r"(?:panel )?\*([A-Z][^*]+)\* of \*(imustream: [^*]+)\*")
_LINK = re.compile(r"\]\(([^)]+)\)")
_ALERT = re.compile(r"Imustream[A-Za-z]+")


def alerts() -> dict[str, str]:
    """The alerts there are, each with the page that it names."""
    text = (ROOT / "cluster/monitoring/rules/alerts.yaml").read_text()
    rules = [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]
    return {rule["alert"]: rule["annotations"]["runbook"] for rule in rules}


def every_page() -> list[Path]:
    return [FOLDER / "README.md", *PAGES]


def _words(page: Path) -> str:
    """A page's text with its lines joined: what is in backticks may go over a line's end."""
    return " ".join(page.read_text().split())


def test_each_alert_has_a_page_and_each_page_an_alert() -> None:
    named = {name: (ROOT / page).resolve() for name, page in alerts().items()}
    assert sorted(named.values()) == PAGES
    assert all(path.stem == name for name, path in named.items())
    listed = set(_ALERT.findall((FOLDER / "README.md").read_text()))
    assert listed == named.keys()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_says_what_it_means_what_to_do_and_when_it_is_over(page: Path) -> None:
    lines = page.read_text().splitlines()
    assert lines[0] == f"# {page.stem}"
    assert [line[3:] for line in lines if line.startswith("## ")] == SECTIONS
    assert len(lines[2]) > 40, "what it means stands first"


@pytest.mark.parametrize("page", every_page(), ids=lambda page: page.stem)
def test_every_command_of_a_page_is_one_of_the_command_line(page: Path) -> None:
    for code in _CODE.findall(_words(page)):
        words = code.split()
        if words[0] == "imustream":
            _check(words[1:], code)
        elif "-- imustream" not in code and " imustream" in code:
            raise AssertionError(f"{page.name}: {code} is not seen by this test")


def _check(words: list[str], code: str) -> None:
    command: Any = typer.main.get_command(build_app())
    while hasattr(command, "commands"):
        found = command.commands.get(words[0])
        assert found is not None, f"`{code}`: there is no command {words[0]}"
        command, words = found, words[1:]
    options = {name for parameter in command.params for name in parameter.opts}
    options |= {name for parameter in command.params for name in parameter.secondary_opts}
    for word in words:
        assert not word.startswith("--") or word in options, f"`{code}`: there is no {word}"


@pytest.mark.parametrize("page", every_page(), ids=lambda page: page.stem)
def test_every_panel_link_and_setting_of_a_page_is_there(page: Path) -> None:
    text = _words(page)
    titles = {board.title: {panel.title for panel in board.panels()} for board in BOARDS}
    for panel, board in _PANEL.findall(text):
        assert panel in titles.get(board, ()), f"{panel} of {board}"
    for link in _LINK.findall(page.read_text()):
        assert (page.parent / link).exists(), link
    for code in _CODE.findall(text):
        section, _, name = code.partition(".")
        if name.isidentifier() and section in Settings.model_fields:
            field = Settings.model_fields[section].annotation
            assert name in field.model_fields, code  # type: ignore[union-attr]
