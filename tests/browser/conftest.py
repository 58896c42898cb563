"""A real headless Chromium, and the page over synthetic sensors."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from chromium import chromium
from playwright.sync_api import Browser, Page
from synthetic_api import free_port, make_app, serving
from synthetic_world import World

ROOT = Path(__file__).parents[2]
NODE_MODULES = Path(os.environ.get("NODE_PATH", ROOT / "node_modules"))
REFUSED = "Content Security Policy"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all that comes; its driver keeps an event loop running in this process."""
    with chromium() as started:
        yield started


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page of a fresh profile; the test fails where a script of the page did."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(20_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if REFUSED in said.text else None)
    yield page
    context.close()
    assert errors == []


@pytest.fixture(scope="module")
def modules(browser: Browser, one_world: tuple[World, str]) -> Iterator[Page]:
    """A page that may import the page's modules, without the dashboard's own parts running."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{one_world[1]}/favicon.svg")
    yield page
    context.close()


@pytest.fixture(scope="session")
def uplot() -> Path:
    """The folder of uPlot's files, as `make setup` installs them."""
    folder = NODE_MODULES / "uplot" / "dist"
    assert (folder / "uPlot.esm.js").is_file(), f"{folder} lacks uPlot; run `make setup`"
    return folder


Serve = Callable[[World, int], AbstractContextManager[str]]


@pytest.fixture
def serve_world(uplot: Path) -> Serve:
    """Starts the page over a world on a port; leaving the context stops it."""
    return lambda world, port: serving(make_app(world, uplot), port)


@pytest.fixture(scope="session")
def one_world(uplot: Path) -> Iterator[tuple[World, str]]:
    """The world that most tests share, and the address of the page over it."""
    world = World([])
    with serving(make_app(world, uplot), free_port()) as address:
        yield world, address


@pytest.fixture
def world(one_world: tuple[World, str]) -> World:
    """Twenty sensors, all well; a test changes what it needs."""
    one_world[0].renew()
    return one_world[0]


@pytest.fixture
def dashboard(world: World, one_world: tuple[World, str]) -> str:
    """The address of the page over `world`."""
    return one_world[1]
