"""No serious or critical violation that axe-core finds, in either theme and on a phone."""

import pytest
from conftest import NODE_MODULES
from live_page import open_sensors, wait_for_samples, wait_until_it_moves
from playwright.sync_api import Page, expect
from synthetic_world import World

WIDTHS = {"desk": (1440, 900), "phone": (390, 844), "small phone": (320, 640)}


def violations(page: Page) -> list[str]:
    """What axe-core finds: rule, impact and the first place."""
    axe = NODE_MODULES / "axe-core" / "axe.min.js"
    assert axe.is_file(), f"{axe} is missing; run `make setup`"
    page.evaluate(axe.read_text())
    found = page.evaluate(
        "() => axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', "
        "'best-practice'] })"
    )
    return [
        f"{violation['id']} ({violation['impact']}): {violation['nodes'][0]['html']}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", ["desk", "phone"])
def test_the_views_are_accessible(
    page: Page, dashboard: str, world: World, scheme: str, width: str
) -> None:
    page.set_viewport_size(dict(zip(("width", "height"), WIDTHS[width], strict=True)))  # type: ignore[arg-type]
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    world.clock_offset_s = {"sensor2": -7_300.0}
    world.silent = {"sensor3"}
    open_sensors(page, dashboard, ["sensor1", "sensor2", "sensor3"], "&details=yes")
    wait_for_samples(page, "sensor1")
    expect(page.locator(".details tbody tr").first).to_be_visible()
    expect(page.locator(".card-trouble").last).to_contain_text("sensor3 is silent")
    assert violations(page) == []
    page.get_by_role("button", name="Sessions").click()
    expect(page.locator(".sessions-table tbody tr")).to_have_count(50)
    assert violations(page) == []
    page.get_by_role("button", name="Pipelines").click()
    for summary in page.locator("summary").all():
        summary.click()
    assert violations(page) == []
    world.signed_out = True
    expect(page.get_by_role("heading", name="You are not logged in")).to_be_visible()
    assert violations(page) == []


def test_sessions_that_cannot_be_read_are_told_accessibly(
    page: Page, dashboard: str, world: World
) -> None:
    world.sessions_problem = "MongoDB does not give sessions"
    page.goto(f"{dashboard}/#view=sessions")
    expect(page.get_by_role("alert")).to_be_visible()
    assert violations(page) == []


def test_the_notice_of_an_alarm_is_accessible(page: Page, dashboard: str, world: World) -> None:
    world.alarm = "slot 0: stopped"
    world.not_ready = {"kafka"}
    page.goto(f"{dashboard}/#view=pipelines")
    expect(page.get_by_role("alert")).to_be_visible()
    assert violations(page) == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("view", ["sensors", "sessions", "pipelines"])
def test_nothing_is_wider_than_the_screen(
    page: Page, dashboard: str, width: str, view: str
) -> None:
    page.set_viewport_size(dict(zip(("width", "height"), WIDTHS[width], strict=True)))  # type: ignore[arg-type]
    page.goto(f"{dashboard}/#view={view}&sensor=sensor1&sensor=sensor2")
    if view == "sensors":
        wait_until_it_moves(page, "sensor1")
    elif view == "sessions":
        expect(page.locator(".sessions-table tbody tr")).to_have_count(50)
    else:
        expect(page.locator(".pipeline")).to_have_count(5)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
