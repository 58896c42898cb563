"""Models: their versions against each other, promoted and rolled back."""

import json

import pytest
from playwright.sync_api import Page, expect
from synthetic_world import World


@pytest.fixture
def models(page: Page, dashboard: str) -> Page:
    """The page at the models."""
    page.goto(f"{dashboard}/#view=models")
    expect(page.get_by_role("article", name="velocity")).to_be_visible()
    return page


def test_versions_are_compared_and_the_best_is_marked(models: Page) -> None:
    heads = models.locator(".metrics-table thead th")
    expect(heads).to_have_text(["Metric", "2, stable", "3"])
    walk = models.locator(".metrics-table tr", has_text="Velocity RMSE walk")
    expect(walk.locator(".is-best")).to_contain_text("0.1140")
    expect(walk).to_contain_text("\u22128.1 %")
    models.get_by_label("Compare version 1").check()
    expect(heads).to_have_text(["Metric", "2, stable", "3", "1"])
    expect(models.get_by_label("Compare version 1")).to_be_focused()
    models.reload()
    expect(heads).to_have_count(4)


def test_a_version_is_promoted_and_rolled_back_after_a_question(models: Page, world: World) -> None:
    expect(models.get_by_role("button", name="Promote version 2")).to_be_disabled()
    models.get_by_role("button", name="Promote version 3").click()
    dialog = models.get_by_role("dialog")
    expect(dialog).to_contain_text("3 takes the place of 2")
    dialog.get_by_role("button", name="Promote").click()
    expect(models.get_by_text("version 3 serves")).to_be_visible()
    assert json.loads(world.changes[-1]["body"]) == {"version": "3"}
    models.get_by_role("button", name="Roll back").click()
    dialog.get_by_role("button", name="Roll back").click()
    expect(models.get_by_text("version 1 serves")).to_be_visible()


def test_no_model_and_no_store_are_said(page: Page, dashboard: str, world: World) -> None:
    world.models = False
    page.goto(f"{dashboard}/#view=models")
    expect(page.get_by_text("No model yet.")).to_be_visible()
    world.models_problem = "the model store does not answer"
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("the model store does not answer")
