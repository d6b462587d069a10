"""Pages of a target, in a browser: what they show, and what they do not offer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from looking import looking, require_accessible
from seen_project import Served
from viewing import viewing

from observed_account import observing
from ports import free_port
from snowmelt.serve.cells import MASK
from snowmelt.serve.client import ServiceClient, connect_service
from snowmelt.serve.pages.site import FRESH_SECONDS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.long, pytest.mark.timeout(240)]
PAGES = (
    *("/", "/files", "/tasks", "/cost", "/cost?days=30", "/doctor", "/rejects"),
    *(
        "/dashboards",
        "/d/sales",
        "/d/sales?region=north&period=2024-01-01..2024-12-31",
        "/d/odd",
    ),
    *("/lineage", "/lineage?select=+exposure:sales", "/catalog"),
    *("/catalog/gold.fct_sales", "/catalog/bronze.orders"),
)
LOOKS = [(1440, "light"), (400, "dark")]


class Observed(Served):
    """A process that observes a target, and how it is reached."""

    @contextmanager
    def socket(self) -> Iterator[ServiceClient]:
        with connect_service(
            self.root / ".snowmelt" / "targets" / "prod" / "service.sock"
        ) as service:
            assert service is not None
            yield service


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    root, port = Path(tmp_path_factory.mktemp("shop")), free_port()
    with observing(root, port) as (process, _):
        given: Any = process
        yield Observed(root, f"http://127.0.0.1:{port}", given)


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_pages_of_a_target_fit_and_offer_nothing_to_act_on(
    browser: Browser, observed: Observed, width: int, scheme: str
) -> None:
    with looking(browser, observed, scheme, width) as page:
        for path in PAGES:
            page.goto(path)
            page.wait_for_selector("html[data-ready]")
            assert page.locator("form[action^='/actions/']").count() == 0, path
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, path
            require_accessible(page)


def test_cost_leads_from_its_figures_to_what_they_are_made_of(
    browser: Browser, observed: Observed
) -> None:
    with looking(browser, observed) as page:
        page.goto("/cost")
        tiles = page.locator("#cost-tiles a")
        assert tiles.count() == 5
        tiles.filter(has_text="Pipes").click()
        assert page.url.endswith("#cost-pipes")
        page.locator("#cost-pipes a").first.click()
        page.wait_for_url("**/files?pipe=orders")
        page.goto("/cost")
        page.get_by_role("link", name="30 days").click()
        page.wait_for_url("**/cost?days=30")
        told = page.get_by_text("snowmelt cost --target prod --days 30")
        assert told.count() == 1


def test_a_mark_that_is_pulled_while_it_is_observed_is_masked_within_a_second(
    observed: Observed,
) -> None:
    """First everything is, then what is marked: dbt itself reads the files.

    For a second viewers share what was answered.
    """
    models = observed.root / "models" / "gold" / "_gold.yml"
    before = models.read_text()
    marked = "    columns:\n      - {name: sold_on, meta: {pii: true}}\n"
    with viewing(observed) as viewer:
        assert dearest(viewer, until="3") == ["3", MASK, "2024-02-09"]
        models.write_text(before.rstrip() + "\n" + marked)
        try:
            threading.Event().wait(FRESH_SECONDS)
            assert dearest(viewer)[1:] == [MASK, MASK]
            assert dearest(viewer, until="3") == ["3", MASK, MASK]
        finally:
            models.write_text(before)


def dearest(viewer: httpx.Client, until: str = "") -> list[str]:
    """Return sale, person and day of the dearest sale; wait until the sale is this."""
    asked, pause = {"name": "sales"}, threading.Event()
    for _ in range(300):
        answer = viewer.get("/api/v1/dashboard", params=asked).json()
        found = [str(each) for each in answer["cards"][3]["rows"][0][:3]]
        if until in ("", found[0]):
            break
        pause.wait(0.2)
    return found


def test_who_is_not_logged_in_is_told_which_link_opens_these_pages(
    observed: Observed,
) -> None:
    answer = httpx.get(f"{observed.url}/login")
    assert "snowmelt link --target prod" in answer.text


def test_dashboards_of_a_target_lead_nowhere_that_it_has_not(
    browser: Browser, observed: Observed
) -> None:
    """Each link of a dashboard answers; its downloads have the rows that it shows."""
    with looking(browser, observed) as page:
        for path in (
            "/lineage?select=1%2Bgold.fct_sales%2B1",
            "/catalog/gold.fct_sales",
        ):
            page.goto(path)
            require_answered(page)
        page.goto("/dashboards")
        page.get_by_role("link", name="Sales").first.click()
        page.wait_for_url("**/dashboards/sales")
        assert page.get_by_text("Data as of").count() == 1
        assert page.get_by_text("snowmelt dashboards sales --target prod").count()
        page.get_by_label("Region").first.wait_for()
        require_answered(page)
        rows = page.request.get("/dashboards/sales/cards/2.csv").text()
        assert rows.splitlines()[:2] == [
            "region,revenue,large,pieces",
            "north,40.00,1,1.5",
        ]
        sheet = page.request.get("/dashboards/sales/cards/2.xlsx")
        assert sheet.body()[:2] == b"PK"


def require_answered(page: Page) -> None:
    """Each link of a page leads to one that answers."""
    hrefs = page.eval_on_selector_all(
        "main a[href], nav a[href]", "found => found.map(each => each.href)"
    )
    for href in sorted(set(hrefs)):
        assert page.request.get(href).status == 200, href
