"""The page says in clear words what goes wrong, and recovers by itself."""

import re

from conftest import Serve
from live_page import card_of, expect_said, open_sensors, wait_for_samples, wait_until_it_moves
from playwright.sync_api import Page, expect
from synthetic_api import free_port
from synthetic_world import World


def test_a_first_visit_shows_sensors_that_move(page: Page, dashboard: str) -> None:
    page.goto(dashboard)
    for sensor_id in ("sensor1", "sensor2", "sensor3"):
        wait_until_it_moves(page, sensor_id)
    expect(page.locator("#live-count")).to_have_text("20 of 20")
    expect(page.locator("#sample-rate")).to_have_text("4,000")
    expect(page.locator("#ready")).to_have_text("all parts ready")


def test_an_address_that_is_opened_meanwhile_is_not_overwritten_by_the_first_choice(
    page: Page, dashboard: str
) -> None:
    with page.expect_response("**/api/v1/sensors*"):
        page.goto(dashboard)
        page.evaluate("location.hash = '#view=models'")
    expect(page.get_by_role("article", name="velocity")).to_be_visible()
    expect(page.locator("#live-count")).to_have_text("20 of 20")
    assert page.url.endswith("#view=models")


def test_a_sensor_that_falls_silent_is_named_with_how_long(
    page: Page, dashboard: str, world: World
) -> None:
    open_sensors(page, dashboard, ["sensor2", "sensor3"])
    wait_for_samples(page, "sensor3")
    world.silent.add("sensor3")
    silent = card_of(page, "sensor3").locator(".card-trouble")
    expect(silent).to_have_text("no samples from sensor3 for 4 s")
    expect_said(page, "no samples from sensor3")
    expect(card_of(page, "sensor2").locator(".card-trouble")).to_be_hidden()
    row = page.get_by_role("option", name="sensor3")
    expect(row).to_contain_text("silent")
    world.silent.clear()
    expect(silent).to_be_hidden()
    expect_said(page, "no samples from sensor3", "samples come again from sensor3")


def test_a_sensor_that_was_silent_before_says_since_when(
    page: Page, dashboard: str, world: World
) -> None:
    world.silent.add("sensor3")
    world.last_frame_s_ago = 750
    open_sensors(page, dashboard, ["sensor3"])
    trouble = card_of(page, "sensor3").locator(".card-trouble")
    expect(trouble).to_have_text("sensor3 is silent: its newest frame came 12 min ago")


def test_a_lost_connection_is_said_and_comes_back_by_itself(
    page: Page, world: World, serve_world: Serve
) -> None:
    port = free_port()
    with serve_world(world, port) as address:
        open_sensors(page, address, ["sensor1"])
        wait_until_it_moves(page, "sensor1")
    notice = page.locator("#notice")
    expect(notice).to_contain_text("Connection to imustream lost. Trying again")
    lost = card_of(page, "sensor1").locator(".card-trouble")
    expect(lost).to_have_text(re.compile(r"the stream of sensor1 is lost; trying again"))
    with serve_world(world, port):
        expect(notice).to_contain_text("Connected again.")
        expect(lost).to_be_hidden()
        wait_until_it_moves(page, "sensor1")
        expect(notice).to_be_hidden()
        expect_said(
            page, "Connection to imustream lost. Trying again by itself.", "Connected again."
        )


def test_a_slow_client_is_told_how_many_messages_were_dropped(
    page: Page, dashboard: str, world: World
) -> None:
    world.dropped["sensor1"] = 1_234
    open_sensors(page, dashboard, ["sensor1"])
    trouble = card_of(page, "sensor1").locator(".card-trouble")
    expect(trouble).to_have_text("this browser was too slow: dropped 1,234 messages")


def test_a_log_in_that_ended_says_how_to_get_a_new_link(
    page: Page, dashboard: str, world: World
) -> None:
    open_sensors(page, dashboard, ["sensor1"])
    wait_for_samples(page, "sensor1")
    world.signed_out = True
    expect(page.get_by_role("heading", name="You are not logged in")).to_be_focused()
    expect(page.get_by_text("imustream link")).to_be_visible()
    expect(page.locator("#app")).to_be_hidden()


def test_what_the_api_lacks_is_said_in_its_own_words(
    page: Page, dashboard: str, world: World
) -> None:
    open_sensors(page, dashboard, ["sensor1"])
    wait_for_samples(page, "sensor1")
    world.problem = "Kafka does not answer at 127.0.0.1:9; start it"
    notice = page.locator("#notice")
    expect(notice).to_contain_text("not everything runs: Kafka does not answer at 127.0.0.1:9")
    world.problem = None
    expect(notice).to_contain_text("Connected again.")


def test_parts_that_are_not_ready_and_alarms_are_named(
    page: Page, dashboard: str, world: World
) -> None:
    world.not_ready = {"mqtt"}
    page.goto(dashboard)
    expect(page.locator("#ready")).to_have_text("mqtt not ready")
    world.alarm = "slot 1: offset 12 of imu-data-all/3 no longer exists"
    page.locator("#ready").click()
    expect(page.get_by_role("alert")).to_have_text(world.alarm)
    expect(page.locator("#ready")).to_have_text("1 alarm")
    part = page.locator(".part", has_text="mqtt")
    expect(part).to_contain_text("does not answer at 127.0.0.1")
    card = page.get_by_role("article", name="sensor-processing")
    card.get_by_text("Partitions", exact=True).click()
    expect(card.locator("tbody tr")).to_have_count(10)


def test_a_sensor_nobody_has_seen_is_waited_for(page: Page, dashboard: str) -> None:
    open_sensors(page, dashboard, ["sensor99"])
    trouble = card_of(page, "sensor99").locator(".card-trouble")
    expect(trouble).to_have_text(re.compile("no samples from sensor99 since this page asked"))
    expect(page.get_by_role("option", name="sensor99")).to_contain_text("not seen yet")
