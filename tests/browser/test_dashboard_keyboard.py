"""All of it works without a mouse."""

import re

from live_page import card_of, expect_said, open_sensors, wait_until_it_moves
from playwright.sync_api import Page, expect
from synthetic_world import World


def test_arrow_keys_walk_the_list_and_space_chooses(page: Page, dashboard: str) -> None:
    open_sensors(page, dashboard, ["sensor1"])
    expect(page.get_by_role("option")).to_have_count(20)
    page.get_by_label("Search sensors", exact=True).focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option").first).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    wait_until_it_moves(page, "sensor2")
    page.keyboard.press("End")
    expect(page.get_by_role("option").last).to_be_focused()
    page.keyboard.press("Enter")
    assert re.search("sensor=sensor1&sensor=sensor2&sensor=sensor20", page.url)
    page.keyboard.press("Enter")
    expect(card_of(page, "sensor20")).to_have_count(0)
    page.keyboard.press("Home")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_label("Search sensors", exact=True)).to_be_focused()


def test_the_skip_link_leads_past_the_top_bar_and_keeps_the_choice(
    page: Page, dashboard: str
) -> None:
    open_sensors(page, dashboard, ["sensor1"])
    expect(card_of(page, "sensor1")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    assert "sensor=sensor1" in page.url


def test_search_narrows_the_list(page: Page, dashboard: str, world: World) -> None:
    world.sensors = [f"sensor{number}" for number in range(1, 1_001)]
    open_sensors(page, dashboard, ["sensor1"])
    expect(page.locator("#sensors-note")).to_have_text("600 more: search to narrow.")
    page.get_by_label("Search sensors", exact=True).fill("SENSOR99")
    expect(page.get_by_role("option")).to_have_count(11)
    page.get_by_label("Search sensors", exact=True).fill("nothing like it")
    expect(page.locator("#sensors-note")).to_have_text("No sensor matches.")


def test_no_more_sensors_are_shown_than_the_bound(page: Page, dashboard: str, world: World) -> None:
    world.sensors = [f"sensor{number}" for number in range(1, 31)]
    open_sensors(page, dashboard, world.sensors)
    expect(page.locator(".card-title")).to_have_count(24)
    page.get_by_role("option", name="sensor30").click()
    expect_said(page, "No more than 24 sensors can be shown at once.")
