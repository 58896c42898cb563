"""The list of sessions: what each was, which are shown, and what is said where there are none."""

import pytest
from playwright.sync_api import Locator, Page, expect
from synthetic_reports import session_summary
from synthetic_world import World


def rows(page: Page) -> Locator:
    """The rows of the list."""
    return page.locator(".sessions-table tbody tr")


@pytest.fixture
def listed(page: Page, dashboard: str) -> Page:
    """The page at the list of sessions."""
    page.goto(f"{dashboard}/#view=sessions")
    expect(rows(page)).to_have_count(50)
    return page


def test_a_session_is_told_in_one_line(listed: Page, world: World) -> None:
    session = session_summary(world, 4)
    cells = rows(listed).nth(4).locator("th, td")
    expect(cells).to_have_count(10)
    expect(cells.nth(1)).to_have_text(session["sensor_id"])
    expect(cells.nth(2)).to_have_text("closed")
    expect(cells.nth(3)).to_have_text("13:56")
    expect(cells.nth(4)).to_have_text("418")
    expect(cells.nth(5)).to_have_text("167,200")
    expect(cells.nth(7)).to_have_text("1.77")
    expect(cells.nth(8)).to_have_text("2.07")
    expect(cells.nth(9)).to_have_text("752.4")
    expect(rows(listed).nth(3).locator("td").nth(7)).to_have_text("\u2013")


def test_more_are_shown_on_request(listed: Page) -> None:
    expect(listed.locator("#sessions-note")).to_have_text("The newest 50 are shown.")
    listed.get_by_role("button", name="Show more").click()
    expect(rows(listed)).to_have_count(60)
    expect(listed.locator("#sessions-note")).to_have_text("60 sessions")
    expect(listed.get_by_role("button", name="Show more")).to_be_hidden()


def test_sensor_and_state_narrow_the_list_and_stay_in_the_address(listed: Page) -> None:
    listed.get_by_role("button", name="Open", exact=True).click()
    expect(rows(listed)).to_have_count(3)
    listed.get_by_label("Only sessions of this sensor").fill("sensor2")
    listed.keyboard.press("Enter")
    expect(rows(listed)).to_have_count(1)
    assert "of=sensor2" in listed.url and "state=open" in listed.url
    listed.reload()
    expect(rows(listed)).to_have_count(1)
    expect(listed.get_by_label("Only sessions of this sensor")).to_have_value("sensor2")
    listed.get_by_label("Only sessions of this sensor").fill("nobody")
    listed.keyboard.press("Enter")
    expect(listed.locator("#sessions-note")).to_have_text("No session matches.")
    expect(rows(listed)).to_have_count(0)


def test_a_sensor_of_the_list_leads_to_its_live_plots_by_keyboard(listed: Page) -> None:
    rows(listed).nth(2).get_by_role("button", name="sensor3").focus()
    listed.keyboard.press("Enter")
    expect(listed.get_by_role("article", name="sensor3", exact=True)).to_be_visible()
    assert "view=live" in listed.url and "sensor=sensor3" in listed.url


def test_no_session_yet_is_said(page: Page, dashboard: str, world: World) -> None:
    world.sessions = 0
    page.goto(f"{dashboard}/#view=sessions")
    expect(page.locator("#sessions-note")).to_contain_text("No session yet")
    expect(page.locator("#sessions")).to_be_hidden()


def test_a_database_that_is_away_is_said_and_the_list_comes_back_by_itself(
    page: Page, dashboard: str, world: World
) -> None:
    world.sessions_problem = "MongoDB does not give sessions: see that it runs"
    page.goto(f"{dashboard}/#view=sessions")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The sessions cannot be read now. MongoDB does not give sessions")
    world.sessions_problem = None
    expect(rows(page)).to_have_count(50)
    expect(alert).to_be_hidden()


def test_the_sessions_are_asked_for_only_while_they_are_looked_at(
    page: Page, dashboard: str
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(dashboard)
    expect(page.locator("#live-count")).to_have_text("20 of 20")
    assert not [url for url in asked if "/api/v1/sessions" in url]
    page.get_by_role("button", name="Sessions").click()
    expect(rows(page)).to_have_count(50)
