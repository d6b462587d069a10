"""One service with its pages, and one browser, for all tests of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pytest
from chromium import require_chromium
from people_project import break_a_run, make_people
from seen_project import Served, make_seen, serving

from snowmelt.serve.assets import LACKING, Assets

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    if not Assets().are_built:
        pytest.skip(LACKING)
    root = tmp_path_factory.mktemp("seen")
    make_seen(root)
    with serving(root) as service:
        yield service


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all stories: Playwright starts once in a process."""
    from playwright.sync_api import sync_playwright

    path = require_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service of a project about persons."""
    if not Assets().are_built:
        pytest.skip(LACKING)
    root = tmp_path_factory.mktemp("people") / "shop"
    make_people(root)
    with serving(root) as service:
        yield service


@pytest.fixture(scope="session")
def broken(people: Served) -> Served:
    """The same, after a run that failed."""
    break_a_run(people)
    return people


@pytest.fixture
def owner(served: Served) -> Iterator[httpx.Client]:
    """A client with a session of the owner."""
    with served.client() as client:
        yield client


@pytest.fixture
def stranger(served: Served) -> Iterator[httpx.Client]:
    """A client that nobody knows."""
    with served.client(signed_in=False) as client:
        yield client
