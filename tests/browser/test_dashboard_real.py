"""The dashboard over the whole real stack: broker, Kafka, Ray, Serve and simulated sensors."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from chromium import chromium
from live_page import card_of, open_sensors, wait_for_samples, wait_until_it_moves
from playwright.sync_api import Browser, Page, expect

from cluster.local.settings_environment import child_environment, without_settings
from cluster.local.stack import Stack
from cluster.setup.paths import ROOT
from serve.auth import login_link

SENSORS = 20
PREFIX = "wearable"
PICTURES = ROOT / "build" / "pictures"
STOP_S = 20
FIRST_SAMPLES_MS = 60_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser that ends with this module: what follows has event loops of its own."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def address(stack: Stack) -> str:
    """Where the api listens."""
    return f"http://{stack.settings.serve.host}:{stack.settings.serve.port}"


def start_fleet(stack: Stack, *options: str) -> subprocess.Popen[bytes]:
    """Start `imustream simulate`."""
    environment = {
        **without_settings(dict(os.environ)),
        **child_environment(stack.settings, ROOT),
    }
    command = [sys.executable, "-m", "cluster.cli", "simulate", *options]
    return subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL)


def stop_fleet(fleet: subprocess.Popen[bytes]) -> None:
    """Stop it, whatever it does."""
    fleet.terminate()
    try:
        fleet.wait(STOP_S)
    except subprocess.TimeoutExpired:
        fleet.kill()


def take_picture(page: Page, name: str) -> None:
    """Keep what the screen shows, from the top of the page."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.evaluate("scrollTo(0, 0)")
    page.screenshot(path=PICTURES / f"dashboard-{name}.png")


@pytest.fixture(scope="module")
def fleet(stack: Stack) -> Iterator[subprocess.Popen[bytes]]:
    """Twenty sensors that move until the module's tests are done, or one stops them."""
    started = start_fleet(stack, "--sensors", str(SENSORS), "--sensor-prefix", PREFIX)
    yield started
    stop_fleet(started)


@pytest.fixture
def live_page(
    browser: Browser, stack: Stack, address: str, fleet: subprocess.Popen[bytes]
) -> Iterator[Page]:
    """A page that was logged in by a one-time link."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(FIRST_SAMPLES_MS)
    page.goto(login_link(stack.settings))
    assert page.url.startswith(f"{address}/"), page.url
    assert "code=" not in page.url
    yield page
    context.close()


def test_who_has_no_log_in_is_told_how_to_get_one(
    browser: Browser, stack: Stack, address: str
) -> None:
    context = browser.new_context()
    page = context.new_page()
    answer = page.goto(address)
    assert answer is not None and answer.status == 401
    expect(page.locator("body")).to_contain_text("imustream link")
    link = login_link(stack.settings)
    page.goto(link)
    expect(page.locator("#ready")).not_to_have_text("unknown")
    context.clear_cookies()
    answer = page.goto(link)
    assert answer is not None and answer.status == 401, "a link works once"
    context.close()


def test_a_real_sensor_is_seen_moving(live_page: Page, address: str) -> None:
    page = live_page
    chosen = [f"{PREFIX}{number}" for number in (1, 2, 3)]
    open_sensors(page, address, chosen)
    for sensor_id in chosen:
        wait_until_it_moves(page, sensor_id)
    row = page.get_by_role("option", name=re.compile(f"^{PREFIX}1 "))
    expect(row).to_contain_text("live")
    expect(row).to_contain_text(
        re.compile(r"(1[89]\d|2[01]\d)(\.\d)? Hz"), timeout=FIRST_SAMPLES_MS
    )
    expect(page.locator(".details tbody tr").nth(2)).to_be_visible()
    expect(page.locator("#ready")).to_have_text("all parts ready", timeout=FIRST_SAMPLES_MS)
    card_of(page, chosen[0]).scroll_into_view_if_needed()
    wait_until_it_moves(page, chosen[0])
    take_picture(page, "light")
    page.emulate_media(color_scheme="dark")
    wait_until_it_moves(page, chosen[0])
    take_picture(page, "dark")


def test_twenty_real_sensors_move_at_once(live_page: Page, address: str) -> None:
    page = live_page
    sensors = [f"{PREFIX}{number}" for number in range(1, SENSORS + 1)]
    open_sensors(page, address, sensors)
    for sensor_id in sensors:
        wait_for_samples(page, sensor_id)
    for sensor_id in (sensors[0], sensors[9], sensors[-1]):
        wait_until_it_moves(page, sensor_id)
    expect(page.locator(".card-trouble:visible")).to_have_count(0)
    card_of(page, sensors[0]).scroll_into_view_if_needed()
    wait_until_it_moves(page, sensors[0])
    take_picture(page, "twenty")


def test_the_pipelines_show_what_they_do(live_page: Page, address: str) -> None:
    page = live_page
    page.goto(f"{address}/#view=pipelines")
    card = page.get_by_role("article", name="sensor-processing")
    expect(card).to_contain_text("running")
    card.get_by_text("Partitions", exact=True).click()
    expect(card.locator("tbody tr")).to_have_count(10)
    names = (
        "sensor-processing",
        "session-aggregation",
        "ml-inference",
        "session-writer",
        "archive",
    )
    for name in names:
        expect(page.get_by_role("article", name=name)).to_be_visible()
    parts = len(names) + len(("kafka", "mongodb", "mqtt", "live", "inference"))
    expect(page.locator(".part[data-state=ready]")).to_have_count(parts, timeout=FIRST_SAMPLES_MS)
    for name in ("bridge", *names):
        expect(page.locator(f".flow-box[data-stage={name}]")).to_be_visible()
    processed = page.locator(".flow-box[data-stage=sensor-processing]")
    expect(processed).to_contain_text("nothing lost")
    expect(page.locator(".ledger").first).to_contain_text(
        re.compile(r"[1-9][\d,]* frames in"), timeout=FIRST_SAMPLES_MS
    )
    expect(page.locator(".ledger[data-balanced=false]")).to_have_count(0)
    take_picture(page, "pipelines")


def test_the_fleet_is_real_and_keeps_the_label_that_is_set(live_page: Page, address: str) -> None:
    page = live_page
    page.goto(f"{address}/#view=fleet&q={PREFIX}")
    expect(page.locator(".fleet-table")).to_have_attribute("aria-rowcount", str(SENSORS + 1))
    page.get_by_role("button", name=f"{PREFIX}3", exact=True).click()
    sheet = page.get_by_role("dialog", name=f"{PREFIX}3")
    sheet.get_by_label("Name").fill("limb")
    sheet.get_by_label("Value").fill("left wrist")
    sheet.get_by_role("button", name="Set label").click()
    expect(sheet.locator(".chip")).to_contain_text("limb: left wrist")
    sheet.get_by_label("Command", exact=True).fill("ping")
    sheet.get_by_role("button", name="Send command").click()
    expect(sheet.locator(".command-row")).to_contain_text("replied")
    page.keyboard.press("Escape")
    page.reload()
    row = page.locator(".fleet-table tbody tr", has_text=re.compile(rf"^{PREFIX}3\D"))
    expect(row).to_contain_text("limb: left wrist")
    expect(row).to_contain_text("live")
    take_picture(page, "fleet")


def test_a_real_session_is_shown_again(live_page: Page, address: str) -> None:
    page = live_page
    page.goto(f"{address}/#view=sessions&of={PREFIX}2")
    page.locator(".sessions-table tbody tr").first.get_by_role("button").first.click()
    expect(page.locator("#replay[aria-busy=false][data-rows]")).to_be_visible()
    page.locator("#replay summary").click()
    expect(page.locator("#replay .listing tbody tr").first).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    take_picture(page, "replay")


def test_real_dead_letters_are_read_and_redriven(
    live_page: Page, stack: Stack, address: str
) -> None:
    page = live_page
    faults = ("--bad-crc", "0.3", "--seconds", "6")
    broken = start_fleet(stack, "--sensors", "1", "--sensor-prefix", "broken", *faults)
    assert broken.wait(FIRST_SAMPLES_MS / 1000) == 0
    page.goto(f"{address}/#view=letters&sender=broken1")
    page.locator(".letters-table tbody tr").first.get_by_role("button").click()
    inspector = page.get_by_role("complementary", name="The chosen dead letter")
    expect(inspector.get_by_role("heading", name="checksum is wrong")).to_be_visible()
    expect(inspector.locator(".hex-line .is-head").first).to_have_text("7c")
    again = inspector.get_by_role("button", name="Redrive this dead letter")
    again.click()
    page.get_by_role("dialog").get_by_role("button", name="Redrive 1").click()
    expect(again).to_have_attribute("title", "It was redriven already.", timeout=FIRST_SAMPLES_MS)
    take_picture(page, "letters")


def test_the_real_models_tell_their_metrics(live_page: Page, address: str) -> None:
    page = live_page
    page.goto(f"{address}/#view=models")
    expect(page.get_by_text(re.compile(r"version \d+ serves"))).to_be_visible()
    expect(page.locator(".metrics-table tbody tr").first).to_be_visible()
    take_picture(page, "models")


def test_sensors_that_stop_are_named(
    live_page: Page, address: str, fleet: subprocess.Popen[bytes]
) -> None:
    page = live_page
    sensor_id = f"{PREFIX}1"
    open_sensors(page, address, [sensor_id])
    wait_until_it_moves(page, sensor_id)
    stop_fleet(fleet)
    trouble = card_of(page, sensor_id).locator(".card-trouble")
    expect(trouble).to_have_text(re.compile(rf"^no samples from {sensor_id} for \d+ s$"))
    row = page.get_by_role("option", name=re.compile(f"^{sensor_id} "))
    expect(row).to_contain_text("silent", timeout=FIRST_SAMPLES_MS)
