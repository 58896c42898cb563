"""The fleet: hundreds of sensors at a glance, one sensor's labels and commands."""

import json

import pytest
from live_page import expect_said
from playwright.sync_api import Locator, Page, expect
from synthetic_world import World


def rows(page: Page) -> Locator:
    """The rows that are in the page."""
    return page.locator(".fleet-table tbody tr:not(.spacer)")


def first_ids(page: Page, number: int) -> list[str]:
    """The sensors of the first rows."""
    return rows(page).locator("th").all_inner_texts()[:number]


@pytest.fixture
def fleet(page: Page, dashboard: str) -> Page:
    """The page at the fleet."""
    page.goto(f"{dashboard}/#view=fleet")
    expect(rows(page).first).to_be_visible()
    return page


def test_a_thousand_sensors_stay_fluid_and_all_can_be_reached(
    page: Page, dashboard: str, world: World
) -> None:
    world.sensors = [f"sensor{number}" for number in range(1, 1_001)]
    page.goto(f"{dashboard}/#view=fleet")
    expect(page.get_by_role("table")).to_have_attribute("aria-rowcount", "1001")
    assert page.locator(".fleet-cell").count() >= 1_000
    assert rows(page).count() < 60, "only what is seen is in the page"
    busy_ms = page.evaluate(
        """async () => {
          const scroller = document.querySelector(".fleet-scroller");
          const took = [];
          for (let step = 1; step <= 20; step += 1) {
            const began = performance.now();
            scroller.scrollTop = step * scroller.scrollHeight / 20;
            scroller.dispatchEvent(new Event("scroll"));
            document.body.getBoundingClientRect();
            took.push(performance.now() - began);
            await new Promise(requestAnimationFrame);
          }
          return took.sort((a, b) => a - b)[10]; }"""
    )
    assert busy_ms < 50, f"half of the scrolls took more than {busy_ms:.0f} ms"
    expect(page.get_by_role("button", name="sensor1000", exact=True)).to_be_visible()
    page.get_by_label("Search sensors and labels").fill("sensor99")
    expect(rows(page)).to_have_count(11)
    assert "q=sensor99" in page.url


def test_columns_sort_and_tiles_filter_and_both_stay_in_the_address(
    fleet: Page, world: World
) -> None:
    world.silent = {"sensor7"}
    world.clock_offset_s = {"sensor5": 900.0}
    assert first_ids(fleet, 3) == ["sensor1", "sensor2", "sensor3"]
    gaps = fleet.get_by_role("columnheader", name="Gaps")
    gaps.get_by_role("button").click()
    gaps.get_by_role("button").click()
    expect(gaps).to_have_attribute("aria-sort", "descending")
    assert first_ids(fleet, 2) == ["sensor4", "sensor8"]
    fleet.get_by_role("button", name="Silent").click()
    expect(rows(fleet)).to_have_count(1)
    expect(rows(fleet)).to_contain_text("silent")
    fleet.get_by_role("button", name="Need a look").click()
    expect(rows(fleet)).to_contain_text("15 min ahead")
    fleet.reload()
    expect(rows(fleet)).to_have_count(1)
    assert "sort=-gaps" in fleet.url and "health=attention" in fleet.url
    fleet.get_by_label("Search sensors and labels").fill("nobody")
    expect(fleet.get_by_text("No sensor matches.")).to_be_visible()


def test_labels_are_set_searched_and_removed_by_keyboard(fleet: Page, world: World) -> None:
    opener = fleet.get_by_role("button", name="sensor3", exact=True)
    opener.focus()
    fleet.keyboard.press("Enter")
    sheet = fleet.get_by_role("dialog", name="sensor3")
    sheet.get_by_label("Name").fill("limb")
    sheet.get_by_label("Value").fill("<b>left</b>")
    fleet.keyboard.press("Enter")
    expect(sheet.get_by_text("limb: <b>left</b>")).to_be_visible()
    expect_said(fleet, "The label limb is set.")
    change = world.changes[-1]
    assert (change["method"], change["path"]) == ("PATCH", "/api/v1/sensors/sensor3")
    assert json.loads(change["body"]) == {"labels": {"limb": "<b>left</b>"}}
    assert change["key"] and change["if_match"] == '"0"'
    fleet.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    expect(opener).to_be_focused()
    fleet.get_by_label("Search sensors and labels").fill("<B>LEFT")
    expect(rows(fleet)).to_have_count(1)
    opener.click()
    sheet.get_by_role("button", name="Remove the label limb").click()
    expect(sheet.get_by_text("None yet.")).to_be_visible()
    world.refuse_changes = "somebody else changed the labels just now"
    sheet.get_by_label("Name").fill("limb")
    sheet.get_by_label("Value").fill("left")
    fleet.keyboard.press("Enter")
    expect(sheet.get_by_role("alert")).to_contain_text("somebody else changed the labels just now")


def test_a_command_is_sent_and_the_reply_shown(fleet: Page, world: World) -> None:
    fleet.get_by_role("button", name="sensor2", exact=True).click()
    sheet = fleet.get_by_role("dialog", name="sensor2")
    send = sheet.get_by_role("button", name="Send command")
    sheet.get_by_label("Command", exact=True).fill("blink")
    sheet.get_by_label("Arguments, JSON").fill("{oops")
    send.click()
    expect(sheet.get_by_role("alert")).to_contain_text("The arguments are no JSON")
    assert world.changes == []
    sheet.get_by_label("Arguments, JSON").fill('{"times": 3}')
    send.click()
    row = sheet.locator(".command-row")
    expect(row).to_contain_text('blink {"times":3}')
    expect(row).to_contain_text('{"led":"on"}')
    sent = json.loads(world.changes[-1]["body"])
    assert sent == {"name": "blink", "arguments": {"times": 3}, "expires_s": 60}
    world.command_answers = False
    send.click()
    expect(row.first).to_contain_text("on its way, no reply yet")


def test_no_sensor_yet_says_how_to_get_one(page: Page, dashboard: str, world: World) -> None:
    world.sensors = []
    page.goto(f"{dashboard}/#view=fleet")
    expect(page.get_by_text("imustream simulate")).to_be_visible()
