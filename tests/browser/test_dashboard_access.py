"""Who is logged in, what each role may do, and data that would like to be a script."""

import re

import pytest
from live_page import card_of, expect_said, open_sensors, wait_for_samples
from playwright.sync_api import Page, expect
from synthetic_world import World

# A sensor id holds any Unicode but / + # and control characters.
NAME = "\"><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'"


def test_a_viewer_sees_everything_and_can_change_nothing(
    page: Page, dashboard: str, world: World
) -> None:
    world.role = "viewer"
    needs = "This needs the role {}; yours is viewer."
    page.goto(f"{dashboard}/#view=pipelines")
    pause = page.get_by_role("button", name="Pause archive")
    expect(pause).to_be_disabled()
    expect(pause).to_have_attribute("title", needs.format("operator"))
    page.get_by_role("button", name="Models").click()
    promote = page.get_by_role("button", name="Promote version 3")
    expect(promote).to_have_attribute("title", needs.format("admin"))
    page.get_by_role("button", name="Dead letters").click()
    expect(page.locator(".letters-table tbody tr")).to_have_count(100)
    expect(page.get_by_role("button", name="Redrive all that match")).to_be_disabled()
    page.get_by_role("button", name="Fleet").click()
    page.get_by_role("button", name="sensor2", exact=True).click()
    sheet = page.get_by_role("dialog", name="sensor2")
    expect(sheet.get_by_role("button", name="Set label")).to_be_disabled()
    expect(sheet.get_by_role("button", name="Send command")).to_be_disabled()
    expect(sheet.get_by_text(needs.format("operator"))).to_have_count(2)


def test_the_account_says_who_and_logs_out(page: Page, dashboard: str, world: World) -> None:
    world.role = "operator"
    world.expires_in_s = 300
    page.goto(f"{dashboard}/#view=fleet")
    account = page.get_by_role("button", name="Account, operator")
    account.focus()
    page.keyboard.press("Enter")
    menu = page.get_by_role("group", name="Account")
    expect(menu).to_contain_text("ada")
    expect(menu).to_contain_text("operator: may pause, redrive, label and send commands")
    expect(menu.get_by_role("link", name="Use this phone as a sensor")).to_have_attribute(
        "href", "/device"
    )
    said = page.locator("#spoken", has_text=re.compile("Your log-in ends in [45] min"))
    expect(said).to_have_count(1)
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    account.click()
    menu.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="You are logged out")).to_be_focused()
    assert world.changes[-1]["path"] == "/logout"


def test_a_log_in_that_ends_while_a_question_is_open_closes_it(
    page: Page, dashboard: str, world: World
) -> None:
    page.goto(f"{dashboard}/#view=pipelines")
    page.get_by_role("button", name="Pause archive").click()
    world.signed_out = True
    page.get_by_role("dialog").get_by_role("button", name="Pause").click()
    expect(page.get_by_role("heading", name="You are not logged in")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.parametrize("view", ["fleet", "live", "sessions", "letters"])
def test_a_script_in_a_sensors_name_is_text(
    page: Page, dashboard: str, world: World, view: str
) -> None:
    world.sensors = [NAME]
    world.labels = {NAME: {NAME[:40]: NAME}}
    if view == "live":
        open_sensors(page, dashboard, [])
        page.get_by_role("option").click()
        wait_for_samples(page, NAME)
        expect(card_of(page, NAME).locator(".card-title")).to_have_text(NAME)
        page.get_by_role("button", name="Labels and commands").click()
        expect(page.get_by_role("dialog")).to_contain_text(NAME)
    else:
        page.goto(f"{dashboard}/#view={view}")
        row = page.locator(f"#{view}-view tbody tr", has_text=NAME).first
        row.get_by_role("button").first.click()
        expect(page.get_by_text(NAME).last).to_be_visible()
    assert page.title() == "imustream"
    assert page.locator("img[src=x]").count() == 0


def test_an_unknown_server_error_is_said_in_the_dialog(
    page: Page, dashboard: str, world: World
) -> None:
    page.goto(f"{dashboard}/#view=pipelines")
    page.route("**/api/v1/pipelines/archive/pause", lambda route: route.abort())
    page.get_by_role("button", name="Pause archive").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Pause").click()
    expect(dialog.get_by_role("alert")).to_contain_text("That was not done.")
    page.unroute("**/api/v1/pipelines/archive/pause")
    dialog.get_by_role("button", name="Pause").click()
    expect_said(page, "archive is asked to pause.")
