"""No serious or critical violation that axe-core finds, in either theme and on a phone."""

from collections.abc import Callable, Iterator

import pytest
from conftest import NODE_MODULES
from live_page import open_sensors, wait_for_samples
from playwright.sync_api import Page, ViewportSize, expect
from synthetic_world import World

WIDTHS: dict[str, ViewportSize] = {
    "desk": {"width": 1440, "height": 900},
    "phone": {"width": 390, "height": 844},
    "small phone": {"width": 320, "height": 640},
}


ALL_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
CONTRAST = ["color-contrast"]


def violations(page: Page, rules: list[str]) -> list[str]:
    """What axe-core finds: rule, impact and the first place."""
    if not page.evaluate("'axe' in window"):
        axe = NODE_MODULES / "axe-core" / "axe.min.js"
        assert axe.is_file(), f"{axe} is missing; run `make setup`"
        page.evaluate(axe.read_text())
    found = page.evaluate(
        "rules => axe.run(document, { runOnly: rules, resultTypes: ['violations'] })", rules
    )
    return [
        f"{violation['id']} ({violation['impact']}): {violation['nodes'][0]['html']}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
    ]


def in_both_themes(page: Page) -> list[str]:
    """The violations in the light theme, and in the dark one what a theme can change: contrast."""
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    light = violations(page, ALL_RULES)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    return light + [f"dark: {each}" for each in violations(page, CONTRAST)]


def show_live(page: Page) -> None:
    wait_for_samples(page, "sensor1")
    expect(page.locator(".details tbody tr").first).to_be_visible()
    expect(page.locator(".card-trouble").last).to_contain_text("sensor3 is silent")


def show_fleet(page: Page) -> None:
    page.get_by_role("button", name="Fleet").click()
    expect(page.locator(".fleet-table tbody th").first).to_be_visible()


def show_sheet(page: Page) -> None:
    page.get_by_role("button", name="sensor2", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("limb: left")


def show_sessions(page: Page) -> None:
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Sessions").click()
    expect(page.locator(".sessions-table tbody tr")).to_have_count(6)


def show_replay(page: Page) -> None:
    page.locator(".sessions-table tbody tr").nth(0).get_by_role("button").first.click()
    expect(page.locator("#replay[aria-busy=false][data-rows]")).to_be_visible()
    page.locator("#replay summary").click()


def show_pipelines(page: Page) -> None:
    page.get_by_role("button", name="Pipelines").click()
    expect(page.locator(".flow-box")).to_have_count(6)
    page.get_by_text("The same as a table").click()
    for summary in page.get_by_role("article", name="sensor-processing").locator("summary").all():
        summary.click()


def show_question(page: Page) -> None:
    page.get_by_role("button", name="Pause archive").click()


def show_letters(page: Page) -> None:
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Dead letters").click()
    page.locator(".letters-table tbody tr").first.get_by_role("button").click()
    expect(page.locator(".hex-line").first).to_be_visible()


def show_models(page: Page) -> None:
    page.get_by_role("button", name="Models").click()
    expect(page.locator(".metrics-table")).to_be_visible()
    page.get_by_role("button", name="Account").click()


VIEWS: list[Callable[[Page], None]] = [
    show_live, show_fleet, show_sheet, show_sessions, show_replay, show_pipelines, show_question,
    show_letters, show_models,
]  # fmt: skip


@pytest.fixture(params=["desk", "phone"])
def sized(request: pytest.FixtureRequest, page: Page) -> Iterator[Page]:
    """A page of that width."""
    page.set_viewport_size(WIDTHS[request.param])
    yield page


def test_every_view_is_accessible_in_both_themes(sized: Page, dashboard: str, world: World) -> None:
    # One row tells what a hundred tell, and axe takes its time for each cell.
    world.sensors, world.sessions, world.letters = world.sensors[:6], 6, 6
    world.clock_offset_s = {"sensor2": -7_300.0}
    world.silent = {"sensor3"}
    world.labels = {"sensor2": {"limb": "left"}}
    open_sensors(sized, dashboard, ["sensor1", "sensor2", "sensor3"], "&details=yes")
    found = []
    for show in VIEWS:
        show(sized)
        found += [f"{show.__name__} {each}" for each in in_both_themes(sized)]
    world.signed_out = True
    expect(sized.get_by_role("heading", name="You are not logged in")).to_be_visible()
    assert found + in_both_themes(sized) == []


def test_what_is_wrong_is_told_accessibly(page: Page, dashboard: str, world: World) -> None:
    world.sessions_problem = "MongoDB does not give sessions"
    page.goto(f"{dashboard}/#view=sessions")
    expect(page.get_by_role("alert")).to_be_visible()
    found = in_both_themes(page)
    world.alarm = "slot 0: stopped"
    world.not_ready = {"kafka"}
    world.lost = 3
    world.role = "viewer"
    page.goto(f"{dashboard}/#view=pipelines")
    page.reload()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.locator(".flow-box[data-condition=bad]")).to_be_visible()
    assert found + in_both_themes(page) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_screen(page: Page, dashboard: str, width: str) -> None:
    page.set_viewport_size(WIDTHS[width])
    open_sensors(page, dashboard, ["sensor1", "sensor2"])
    wait_for_samples(page, "sensor1")
    shown = {
        "Live": ".card canvas",
        "Fleet": ".fleet-table tbody th",
        "Sessions": ".sessions-table tbody tr",
        "Pipelines": ".pipeline",
        "Dead letters": ".letters-table tbody tr",
        "Models": ".metrics-table",
    }
    for name, content in shown.items():
        page.get_by_role("button", name=name, exact=True).click()
        expect(page.locator(content).first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
