"""What the tests ask of the page."""

from collections.abc import Iterable
from typing import Any

from playwright.sync_api import Locator, Page, expect

expect.set_options(timeout=20_000)

_CARD = 'const card = [...document.querySelectorAll(".card")].find(c => c.dataset.sensor === id);'
# Lines are coloured, grid and labels grey: these pixels are the lines'.
_COLOURED = """
const canvas = card?.querySelector("canvas");
if (!canvas) return null;
const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
let coloured = 0;
for (let at = 0; at < data.length; at += 4) {
  const high = Math.max(data[at], data[at + 1], data[at + 2]);
  const low = Math.min(data[at], data[at + 1], data[at + 2]);
  if (data[at + 3] > 128 && high - low > 60) coloured += 1;
}
"""


def open_sensors(page: Page, address: str, sensors: Iterable[str], more: str = "") -> None:
    """Open the page with these sensors chosen, by its address alone."""
    page.goto("about:blank")
    chosen = "&".join(f"sensor={sensor}" for sensor in sensors)
    page.goto(f"{address}/#view=sensors&{chosen}{more}")


def card_of(page: Page, sensor_id: str) -> Locator:
    """Return the card of a chosen sensor."""
    return page.get_by_role("article", name=sensor_id, exact=True)


def wait_for_samples(page: Page, sensor_id: str, more_than: int = 0) -> int:
    """Wait until the page has taken more samples of a sensor; return how many it has."""
    handle = page.wait_for_function(
        f"""([id, least]) => {{ {_CARD}
          const samples = Number(card?.dataset.samples ?? 0);
          return samples > least ? samples : null; }}""",
        arg=[sensor_id, more_than],
    )
    return int(handle.json_value())


def wait_for_line(page: Page, sensor_id: str) -> None:
    """Wait until lines are drawn in the sensor's first plot."""
    page.wait_for_function(f"id => {{ {_CARD} {_COLOURED} return coloured > 50; }}", arg=sensor_id)


def wait_until_it_moves(page: Page, sensor_id: str) -> None:
    """Wait until a line is drawn, new samples come, and other pixels with them."""
    card_of(page, sensor_id).scroll_into_view_if_needed()  # nothing else is drawn
    wait_for_line(page, sensor_id)
    canvas = card_of(page, sensor_id).locator("canvas").first
    before = wait_for_samples(page, sensor_id)
    drawn = canvas.evaluate("node => node.toDataURL()")
    wait_for_samples(page, sensor_id, before)
    page.wait_for_function(
        f"""([id, drawn]) => {{ {_CARD}
          return card.querySelector("canvas").toDataURL() !== drawn; }}""",
        arg=[sensor_id, drawn],
    )
    wait_for_line(page, sensor_id)


def expect_said(page: Page, *messages: str) -> None:
    """Wait until people who hear the page were told each of these, in this order."""
    page.wait_for_function(
        """wanted => {
          const said = [...document.querySelectorAll("#spoken > *")].map(node => node.textContent);
          let at = -1;
          return wanted.every(words => (at = said.indexOf(words, at + 1)) >= 0); }""",
        arg=list(messages),
    )


def run(page: Page, module: str, body: str) -> Any:
    """What `body` returns with the module's exports in `m`."""
    return page.evaluate(f"async () => {{ const m = await import('/js/{module}.js'); {body} }}")
