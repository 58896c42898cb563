"""Dead letters: listed, filtered, read byte by byte, and sent through again."""

import json

import pytest
from live_page import expect_said
from playwright.sync_api import Locator, Page, expect
from synthetic_world import World


def rows(page: Page) -> Locator:
    """The rows of the list."""
    return page.locator(".letters-table tbody tr")


@pytest.fixture
def letters(page: Page, dashboard: str) -> Page:
    """The page at the dead letters."""
    page.goto(f"{dashboard}/#view=letters")
    expect(rows(page)).to_have_count(100)
    return page


def test_reasons_and_filters_narrow_the_list(letters: Page) -> None:
    letters.get_by_role("button", name="Show more").click()
    expect(rows(letters)).to_have_count(130)
    letters.get_by_role("button", name="frame is cut off 22").click()
    expect(rows(letters)).to_have_count(22)
    letters.get_by_label("Only of this sensor").fill("sensor2")
    letters.keyboard.press("Enter")
    expect(rows(letters)).to_have_count(3)
    assert "reason=truncated_frame" in letters.url and "sender=sensor2" in letters.url
    letters.get_by_label("Only of this pipeline").fill("nobody")
    letters.keyboard.press("Enter")
    expect(letters.get_by_text("No dead letter matches.")).to_be_visible()


def test_a_dead_letter_is_read_byte_by_byte_and_as_text(letters: Page) -> None:
    rows(letters).first.get_by_role("button").click()
    inspector = letters.get_by_role("complementary", name="The chosen dead letter")
    expect(inspector.get_by_role("heading", name="checksum is wrong")).to_be_visible()
    line = inspector.locator(".hex-line").first
    expect(line.locator(".is-head")).to_have_text(["7c", "1e"])
    expect(line).to_contain_text("<script>")
    expect(inspector).to_contain_text("imu-data-all, partition 0, offset 70,000")
    inspector.get_by_text("Headers").click()
    expect(inspector.get_by_text("application/octet-stream")).to_be_visible()
    with letters.expect_download() as download:
        inspector.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "dead-letter-0-9000.bin"
    letters.reload()
    expect(inspector.get_by_role("heading", name="checksum is wrong")).to_be_visible()


def test_one_is_redriven_after_a_dry_run_and_never_twice(letters: Page, world: World) -> None:
    rows(letters).first.get_by_role("button").click()
    again = letters.get_by_role("button", name="Redrive this dead letter")
    again.click()
    dialog = letters.get_by_role("dialog")
    expect(dialog).to_contain_text("1 letter found: 1 would go through again.")
    dialog.get_by_role("button", name="Redrive 1").click()
    expect(rows(letters).first.locator("td").last).to_have_text("yes")
    expect(again).to_be_disabled()
    bodies = [json.loads(change["body"]) for change in world.changes]
    place = {"partition": 0, "offset": 9_000}
    assert bodies == [{**place, "dry_run": True}, {**place, "dry_run": False}]
    assert len({change["key"] for change in world.changes}) == 2


def test_all_that_match_are_redriven_and_the_refused_are_named(letters: Page, world: World) -> None:
    everything = letters.get_by_role("button", name="Redrive all that match")
    expect(everything).to_have_attribute("title", "Choose a reason, a sensor or a pipeline first.")
    letters.get_by_role("button", name="no frame begins here").click()
    expect(rows(letters)).to_have_count(44)
    everything.click()
    dialog = letters.get_by_role("dialog")
    expect(dialog).to_contain_text("44 cannot.")
    expect(dialog).to_contain_text("it names no sensor (3/8997")
    expect(dialog.get_by_role("button", name="Redrive", exact=True)).to_be_disabled()
    letters.keyboard.press("Escape")
    letters.get_by_role("button", name="checksum is wrong").click()
    expect(rows(letters)).to_have_count(43)
    everything.click()
    dialog.get_by_role("button", name="Redrive 43").click()
    expect(dialog).to_be_hidden()
    expect_said(letters, "Asked to redrive all that match.")
    assert json.loads(world.changes[-1]["body"]) == {"reason": "crc_mismatch", "dry_run": False}


def test_none_and_none_to_be_read_are_said(page: Page, dashboard: str, world: World) -> None:
    world.letters = 0
    page.goto(f"{dashboard}/#view=letters")
    expect(page.get_by_text("No dead letter: everything that came")).to_be_visible()
    expect(page.get_by_role("button", name="Redrive all that match")).to_be_disabled()
    world.letters_problem = "Kafka does not answer"
    expect(page.get_by_role("alert")).to_contain_text("cannot be read now. Kafka does not answer")
