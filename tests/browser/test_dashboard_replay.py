"""A session again: its samples and velocities over its windows, finer where one zooms in."""

import pytest
from playwright.sync_api import Page, expect
from synthetic_reports import session_summary
from synthetic_world import World


@pytest.fixture
def replay(page: Page, dashboard: str, world: World) -> Page:
    """The page at the fifth session, with its samples."""
    page.goto(f"{dashboard}/#view=sessions")
    page.locator(".sessions-table tbody tr").nth(4).get_by_role("button").first.click()
    wait_for_rows(page)
    return page


def wait_for_rows(page: Page) -> float:
    """Wait until samples are drawn and none are awaited; return where they begin."""
    shown = page.locator("#replay[aria-busy=false][data-rows]")
    expect(shown).to_be_visible()
    return float(shown.get_attribute("data-from") or "nan")


def test_a_session_is_shown_with_windows_and_velocities_and_back_leads_to_the_list(
    replay: Page, world: World
) -> None:
    session = session_summary(world, 4)
    expect(replay.get_by_role("heading", name=session["sensor_id"])).to_be_focused()
    expect(replay.locator(".replay-facts")).to_contain_text("752.4")
    expect(replay.locator("figure.replay-plot:visible canvas")).to_have_count(5)
    expect(replay.get_by_text("of 167,200 samples, the peaks among them")).to_be_visible()
    expect(replay.get_by_text("Velocity by velocity 2.")).to_be_visible()
    replay.locator("#replay summary").click()
    table = replay.get_by_role("group", name="Motion windows").locator("tbody tr")
    expect(table).to_have_count(200)
    expect(table.nth(4).locator("td").nth(1)).to_have_text("1")
    replay.go_back()
    expect(replay.locator(".sessions-table tbody tr")).to_have_count(50)
    expect(replay.locator("#replay")).to_be_hidden()


def test_zooming_asks_for_finer_samples_by_mouse_and_by_keyboard(
    replay: Page, world: World
) -> None:
    whole_from = wait_for_rows(replay)
    asked: list[str] = []
    replay.on("request", lambda each: asked.append(each.url) if "/samples" in each.url else None)
    expect(replay.get_by_role("button", name="Zoom out")).to_be_disabled()
    box = replay.locator(".replay-canvas .u-over").first.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    replay.mouse.move(box["x"] + 0.5 * box["width"], middle)
    replay.mouse.down()
    replay.mouse.move(box["x"] + 0.6 * box["width"], middle, steps=4)
    replay.mouse.up()
    expect(replay.locator(".replay-span")).to_contain_text("1:23")
    expect(replay.locator(f"#replay[data-from='{whole_from:.0f}']")).to_be_hidden()
    finer_from = wait_for_rows(replay)
    assert whole_from + 410 < finer_from < whole_from + 430
    assert len(asked) == 1 and "from_us=" in asked[0]
    replay.locator(".replay-stage").focus()
    replay.keyboard.press("+")
    expect(replay.locator(".replay-span")).to_contain_text("41.")
    replay.keyboard.press("0")
    expect(replay.locator(".replay-span")).to_contain_text("13:56")
    expect(replay.get_by_role("button", name="Whole session")).to_be_disabled()


def test_what_cannot_be_read_is_said_and_can_be_tried_again(
    page: Page, dashboard: str, world: World
) -> None:
    world.samples_problem = "the archive does not answer: see that its folder is there"
    session_id = session_summary(world, 3)["session_id"]
    page.goto(f"{dashboard}/#view=sessions&session={session_id}")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The samples cannot be read now. the archive does not answer")
    world.samples_problem = None
    alert.get_by_role("button", name="Try again").click()
    wait_for_rows(page)
    expect(alert).to_be_hidden()
    page.goto(f"{dashboard}/#view=sessions&session=nobody_1")
    expect(page.get_by_role("alert")).to_contain_text("There is no session 'nobody_1'.")
    page.get_by_role("button", name="All sessions").click()
    expect(page.locator(".sessions-table tbody tr")).to_have_count(50)


def test_a_time_narrows_the_list(page: Page, dashboard: str) -> None:
    page.goto(f"{dashboard}/#view=sessions")
    page.get_by_label("From").fill("2026-09-21T14:00")
    expect(page.locator(".sessions-table tbody tr")).to_have_count(2)
    assert "from=2026-09-21T14" in page.url
