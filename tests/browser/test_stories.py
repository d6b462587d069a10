"""Stories that people live on the pages, in a real browser on a real service.

Beside each story: no error in the console, no request that leaves the origin, and no
violation that axe finds.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from looking import WAIT_MS, looking, require_accessible
from playwright.sync_api import Browser, Page, expect
from seen_project import Served

PICTURES = Path(__file__).with_name("pictures")
FIRST_LOAD_BYTES_MAX = 350_000
LOOKS = [("light", 1440), ("dark", 1440), ("light", 400), ("dark", 400)]
PAGES = {
    "health": "/",
    "files": "/files",
    "file": "/files/2",
    "rejects": "/rejects",
    "runs": "/runs",
    "pipes": "/pipes",
    "dashboards": "/dashboards",
    "dashboard": "/dashboards/sales",
    "board": "/dashboards/regions?region=r1",
    "sql": "/sql?q=select+*+from+gold.by_region",
    "connect": "/connect",
}
TENDED = {  # axe looks at them in stories of their own
    "tasks": "/tasks",
    "task": "/tasks/report",
    "alerts": "/alerts",
    "sink": "/alerts/sinks/broken",
    "drift": "/drift",
    "doctor": "/doctor",
    "quarantine": "/rejects?model=silver.vendors&rule=not_null_vendor_name",
}


def sentence(page: Page) -> Any:
    return page.locator("#sentence")


def test_a_broken_file_is_found_mended_and_replayed_without_a_reload(
    browser: Browser, served: Served
) -> None:
    """From Health it is one click to the very line; the dashboard follows by itself."""
    with (
        looking(browser, served) as page,
        looking(browser, served) as dashboard,
    ):
        dashboard.goto("/dashboards/sales")
        dashboard.wait_for_selector("html[data-connection=live]")
        figure = dashboard.locator("#card-0 .figure")
        before = figure.inner_text()
        page.wait_for_selector("html[data-connection=live]")
        page.evaluate("window.notReloaded = true")

        lines = "200,north,1000000.00,2026-03-01\n201,south,2000000.00,03/04/2026\n"
        served.land("orders_9.csv", f"order_id,region,amount,ordered_on\n{lines}")

        recent = page.locator("#recent")
        expect(recent).to_contain_text("orders_9.csv", timeout=WAIT_MS)
        expect(sentence(page)).to_contain_text("attention")
        expect(figure).not_to_have_text(before, timeout=WAIT_MS)
        assert page.evaluate("window.notReloaded")

        recent.get_by_role("link", name="orders_9.csv").click()
        row = page.locator("#line-3")
        expect(row).to_contain_text("ordered_on")
        expect(row).to_contain_text("201,south,2000000.00,03/04/2026")
        require_accessible(page)

        page.get_by_role("button", name="Replay what was refused").click()
        said = page.locator("#said")
        expect(said).to_contain_text("1 record tried again, 0 loaded")
        expect(said).to_contain_text("snowmelt replay --file orders_9.csv")

        halfway = figure.inner_text()
        mended = lines.replace("03/04/2026", "2026-03-04")
        served.land("orders_9.csv", f"order_id,region,amount,ordered_on\n{mended}")
        expect(figure).not_to_have_text(halfway, timeout=WAIT_MS)
        expect(page.locator("#facts")).to_contain_text("Superseded by")
        page.get_by_role("link", name="Rejects").click()
        assert "orders_9" not in page.locator("#groups").inner_text()


def test_a_file_that_lands_is_on_screen_within_a_second_or_so(
    browser: Browser, served: Served
) -> None:
    with looking(browser, served) as page:
        page.goto("/files")
        page.wait_for_selector("html[data-connection=live]")
        served.land("visits_7.csv", "visit_id\n1\n2\n")
        expect(page.locator("#loads")).to_contain_text("visits_7.csv", timeout=WAIT_MS)
        page.get_by_label("Name contains").fill("visits")
        page.get_by_role("button", name="Filter").click()
        expect(page).to_have_url(re.compile("name=visits"))
        assert page.locator("#loads tbody tr").count() == 1


def test_a_pipe_is_paused_from_the_keyboard_alone(
    browser: Browser, served: Served
) -> None:
    with looking(browser, served) as page:
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
        page.keyboard.press("/")
        expect(page.locator("#search")).to_be_focused()
        page.keyboard.type("visits")
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile("/search.q=visits"))
        found = page.get_by_label("Tables")
        expect(
            found.get_by_role("link", name="bronze.visits", exact=True)
        ).to_be_visible()
        page.get_by_label("Pipes", exact=True).get_by_role("link").first.press("Enter")
        expect(page).to_have_url(re.compile("pipe=visits"))
        page.goto("/pipes")
        row = page.get_by_role("row", name=re.compile("^visits"))
        row.get_by_role("button", name="Pause").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#said")).to_contain_text("snowmelt pause visits")
        expect(row).to_contain_text("paused")
        row.get_by_role("button", name="Resume").press("Enter")
        expect(row).to_contain_text("running")


def test_every_page_is_small_accessible_and_as_wide_as_the_screen(
    browser: Browser, served: Served
) -> None:
    with looking(browser, served) as page:
        for name, path in PAGES.items():
            page.goto(path)
            page.wait_for_selector("html[data-ready]")
            require_accessible(page)
            if name in ("health", "files", "file", "runs"):
                assert page.locator("time[title$=UTC]").count(), name
    with looking(browser, served, "dark", 400) as page:
        for path in (PAGES | TENDED).values():
            page.goto(path)
            page.wait_for_selector("html[data-ready]")
            over = "document.documentElement.scrollWidth - innerWidth"
            assert page.evaluate(over) <= 0, path
        require_accessible(page)


def test_charts_are_drawn_and_a_card_shows_its_query(
    browser: Browser, served: Served
) -> None:
    loaded: list[int] = []
    with looking(browser, served, loaded=loaded) as page:
        page.goto("/dashboards/sales")
        expect(page.locator("#card-2 svg")).to_be_visible()
        assert 150_000 < sum(loaded) <= FIRST_LOAD_BYTES_MAX, "two pages, and charts"
        drawn = page.locator("#card-2 svg text").all_text_contents()
        assert {"r0", "r1", "r2", "r3"} <= set(drawn)
        page.locator("#card-2 summary", has_text="SQL").click()
        expect(page.locator("#card-2 pre")).to_contain_text("by_region")
        with page.expect_download() as download:
            page.get_by_role("link", name="CSV of Regions").click()
        assert "r0" in Path(download.value.path()).read_text()
        require_accessible(page)


@pytest.mark.long
@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_pictures_of_each_page(
    browser: Browser, served: Served, scheme: str, width: int
) -> None:
    PICTURES.mkdir(exist_ok=True)
    with looking(browser, served, scheme, width) as page:
        for name, path in (PAGES | TENDED).items():
            page.goto(path)
            page.wait_for_selector("html[data-ready]")
            page.wait_for_timeout(400)
            target = PICTURES / f"{name}_{scheme}_{width}.png"
            page.screenshot(path=target, full_page=True)
            assert target.stat().st_size > 5000
            require_accessible(page)
