"""The flow from MQTT to Parquet as a picture, and pipelines that are paused and resumed."""

import pytest
from live_page import expect_said
from playwright.sync_api import Page, expect
from synthetic_world import World


@pytest.fixture
def pipelines(page: Page, dashboard: str) -> Page:
    """The page at the pipelines."""
    page.goto(f"{dashboard}/#view=pipelines")
    expect(page.locator(".flow-box")).to_have_count(6)
    return page


def test_the_ledger_is_a_picture_a_sum_and_a_table(pipelines: Page) -> None:
    picture = pipelines.get_by_role("img", name="The flow from MQTT to Parquet in 6 stages")
    expect(picture).to_be_visible()
    box = pipelines.locator(".flow-box[data-stage=sensor-processing]")
    expect(box).to_contain_text("62.5 records/s")
    expect(box).to_contain_text("30 behind")
    expect(box).to_contain_text("nothing lost")
    ledger = pipelines.get_by_role("list", name="The ledger").get_by_role("listitem")
    expect(ledger).to_have_count(3)
    expect(ledger.first).to_contain_text("4,512,330 frames in")
    expect(ledger.first).to_have_attribute("data-balanced", "true")
    pipelines.get_by_text("The same as a table").click()
    expect(pipelines.locator(".flow-table tbody tr")).to_have_count(11)
    pipelines.locator(".flow-box[data-stage=archive]").click()
    expect(pipelines.get_by_role("article", name="archive")).to_be_focused()


def test_what_is_lost_is_named_in_the_picture(page: Page, dashboard: str, world: World) -> None:
    world.lost = 3
    page.goto(f"{dashboard}/#view=pipelines")
    expect(page.get_by_role("img", name="Something was lost in sensor-processing")).to_be_visible()
    expect(page.locator(".flow-box[data-condition=bad]")).to_contain_text("3 lost")
    expect(page.locator(".ledger[data-balanced=false]")).to_contain_text("3 lost")


def test_a_pipeline_is_paused_and_resumed_after_a_question(pipelines: Page, world: World) -> None:
    card = pipelines.get_by_role("article", name="archive")
    pause = card.get_by_role("button", name="Pause archive")
    pause.focus()
    pipelines.keyboard.press("Enter")
    dialog = pipelines.get_by_role("dialog", name="Pause archive?")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    pipelines.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(pause).to_be_focused()
    assert world.changes == []
    world.refuse_changes = "another rescale is under way"
    pause.click()
    dialog.get_by_role("button", name="Pause").click()
    expect(dialog.get_by_role("alert")).to_contain_text("another rescale is under way")
    world.refuse_changes = None
    dialog.get_by_role("button", name="Pause").click()
    expect(dialog).to_be_hidden()
    expect(card.locator(".state-label")).to_have_text("paused")
    expect_said(pipelines, "archive is asked to pause.")
    assert world.changes[-1]["path"] == "/api/v1/pipelines/archive/pause"
    assert world.changes[-1]["key"]
    card.get_by_role("button", name="Resume archive").click()
    pipelines.get_by_role("dialog").get_by_role("button", name="Resume").click()
    expect(card.locator(".state-label")).to_have_text("running")
