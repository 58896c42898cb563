"""What is drawn: each sensor on its own clock, gaps as gaps, only what is seen."""

import re

import pytest
from live_page import card_of, open_sensors, wait_for_samples, wait_until_it_moves
from playwright.sync_api import Page, expect
from synthetic_world import World


def test_a_device_in_1970_moves_like_any_other_and_its_clock_is_named(
    page: Page, dashboard: str, world: World
) -> None:
    world.clock_offset_s = {"sensor1": -1.79e9, "sensor2": 7_300.0}
    open_sensors(page, dashboard, ["sensor1", "sensor2"])
    for sensor_id in ("sensor1", "sensor2"):
        wait_until_it_moves(page, sensor_id)
    expect(card_of(page, "sensor1").locator(".tag")).to_have_text("clock 56 years behind")
    expect(card_of(page, "sensor2").locator(".tag")).to_have_text("clock 2 h ahead")


def test_a_clock_that_jumps_starts_the_plot_anew(page: Page, dashboard: str, world: World) -> None:
    open_sensors(page, dashboard, ["sensor1"])
    wait_until_it_moves(page, "sensor1")
    world.clock_offset_s["sensor1"] = -86_400.0
    wait_until_it_moves(page, "sensor1")
    world.clock_offset_s["sensor1"] = 0.0
    wait_until_it_moves(page, "sensor1")


def test_a_sensor_id_is_shown_as_text_whatever_its_characters(
    page: Page, dashboard: str, world: World
) -> None:
    name = "左足 <img src=x onerror=alert(1)> & 'q' \"z\" %41"
    world.sensors[0] = name
    page.goto(dashboard)
    page.get_by_label("Search sensors", exact=True).fill("左足")
    row = page.locator("[role=option]")
    expect(row).to_have_count(1)
    if row.get_attribute("aria-selected") == "false":
        row.click()
    wait_until_it_moves(page, name)
    expect(card_of(page, name).locator(".card-title")).to_have_text(name)
    page.reload()
    wait_until_it_moves(page, name)


def test_windows_of_the_focused_sensor_come_as_bars_and_table(page: Page, dashboard: str) -> None:
    open_sensors(page, dashboard, ["sensor1", "sensor2"])
    details = page.get_by_label("Details of the focused sensor")
    expect(details.get_by_role("heading", name="sensor1")).to_be_visible()
    expect(details.locator("tbody tr").first).to_be_visible()
    card_of(page, "sensor2").get_by_role("button", name="sensor2", exact=True).click()
    expect(details.get_by_role("heading", name="sensor2")).to_be_visible()
    expect(details.locator("tbody tr").first).to_be_visible()
    assert "focus=sensor2" in page.url


def test_quantities_and_span_are_chosen_and_kept_in_the_address(page: Page, dashboard: str) -> None:
    open_sensors(page, dashboard, ["sensor1"])
    expect(page.locator("figure.plot:visible")).to_have_count(5)
    page.get_by_role("button", name="Magnitudes").click()
    page.get_by_role("button", name="30 s").click()
    expect(page.locator("figure.plot:visible")).to_have_count(3)
    page.reload()
    expect(page.locator("figure.plot:visible")).to_have_count(3)
    expect(page.get_by_role("button", name="30 s")).to_have_attribute("aria-pressed", "true")
    wait_until_it_moves(page, "sensor1")


def test_a_paused_plot_stands_still_while_samples_come(page: Page, dashboard: str) -> None:
    open_sensors(page, dashboard, ["sensor1"])
    wait_until_it_moves(page, "sensor1")
    page.get_by_role("button", name="Pause").click()
    canvas = card_of(page, "sensor1").locator("canvas").first
    drawn = canvas.evaluate("node => node.toDataURL()")
    before = wait_for_samples(page, "sensor1")
    wait_for_samples(page, "sensor1", before)
    assert canvas.evaluate("node => node.toDataURL()") == drawn
    page.get_by_role("button", name="Resume").click()
    wait_until_it_moves(page, "sensor1")


def test_people_who_want_less_motion_get_steps(page: Page, dashboard: str) -> None:
    page.emulate_media(reduced_motion="reduce")
    open_sensors(page, dashboard, ["sensor1"])
    wait_until_it_moves(page, "sensor1")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_system_until_the_reader_chooses(
    page: Page, dashboard: str, scheme: str
) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(dashboard)
    other = {"light": "dark", "dark": "light"}[scheme]
    background = "() => getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(background)
    page.get_by_role("button", name=f"Use the {other} theme").click()
    assert page.evaluate(background) != before
    page.reload()
    expect(page.get_by_role("button", name=f"Use the {scheme} theme")).to_be_visible()


def test_velocities_are_drawn_while_they_are_wanted(page: Page, dashboard: str) -> None:
    open_sensors(page, dashboard, ["sensor1"])
    card = page.locator(".card[data-predictions]:not([data-predictions='0'])")
    expect(card).to_be_visible()
    expect(card.locator("[data-quantity=velocity] .legend-value")).to_have_text(
        re.compile(r"^[12]\.\d\d$")
    )
    with page.expect_event("websocket", lambda socket: "/ws/predictions/" in socket.url) as found:
        page.get_by_role("button", name="Velocity").click()
        page.get_by_role("button", name="Velocity").click()
    assert "max_hz=" in found.value.url
