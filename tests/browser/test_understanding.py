"""Stories of people who want to understand: lineage, catalog, quality, trace.

In a real browser on a real service; what must not go wrong on any page is watched as in
the other stories.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from looking import looking, require_accessible
from people_project import SECRETS
from playwright.sync_api import Browser, expect
from seen_project import EVIL, EVIL_FILE, Served
from test_stories import LOOKS, PICTURES

PAGES = {
    "lineage": "/lineage",
    "lineage_of": "/lineage?select=2%2Bgold.client_activity%2B2&column=email",
    "lineage_of_board": "/lineage?select=1%2Bexposure:people",
    "search": "/search?q=customer",
    "search_nothing": "/search?q=no+such+name",
    "lineage_folded": "/lineage?fold=silver,gold",
    "catalog": "/catalog",
    "table": "/catalog/gold.client_activity",
    "table_bronze": "/catalog/bronze.customers",
    "profile": "/catalog/gold.client_activity/profile",
    "quality": "/quality",
    "check": "/quality/tests/customers_without_a_sale",
    "trace": "/trace",
    "trace_table": "/trace?table=gold.client_activity",
    "trace_row": "/trace?table=gold.client_activity&customer_id=C001",
    "trace_nothing": "/trace?table=gold.client_activity&customer_id=nobody",
    "trace_file": "/trace?file=customers.csv",
    "trace_record": "/trace?file=customers.csv&row=14",
}


@pytest.mark.long
def test_the_lineage_leads_from_a_table_to_its_neighbours_and_a_columns_origin(
    browser: Browser,
    people: Served,
) -> None:
    with looking(browser, people) as page:
        page.goto("/lineage")
        drawing = page.locator("#lineage")
        drawing.get_by_role("link", name=re.compile("client_activity")).click()
        expect(page).to_have_url(re.compile("select=1"))
        here = page.locator("a.node.here")
        expect(here).to_contain_text("client_activity")
        names = page.locator("a.node .node-name").all_inner_texts()
        assert {"customers_clean", "sales_enriched", "People"} <= set(names)
        assert "products_clean" not in names, "it is two steps away"
        card = page.locator("#node")
        expect(card).to_contain_text("Last success")
        expect(card).to_contain_text("Last failure")
        page.get_by_label("Show").fill("2+gold.client_activty")
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_role("alert").last).to_contain_text("gold.client_activity")
        page.goto("/lineage?select=gold.client_activity&column=email")
        fed = page.locator("#column")
        expect(fed).to_contain_text("bronze.customers")
        expect(fed).to_contain_text("files of pipe customers")
        require_accessible(page)


def test_from_the_catalog_a_row_is_traced_to_its_line_and_back(
    browser: Browser,
    people: Served,
) -> None:
    with looking(browser, people) as page:
        page.goto("/catalog")
        page.get_by_label("Name or meaning contains").fill("client_act")
        page.get_by_role("button", name="Filter").click()
        page.get_by_role("link", name="client_activity").click()
        columns = page.locator("#columns")
        expect(columns).to_contain_text("E-mail address, in lower case.")
        row = columns.get_by_role("row", name=re.compile("^email"))
        expect(row).to_contain_text("personal, inherited")
        expect(page.locator("body")).to_contain_text("Of all 12 rows")
        require_accessible(page)
        page.locator("#sample tbody tr", has_text="C001").get_by_role("link").click()
        expect(page).to_have_url(re.compile(r"/trace\?table=gold.client_activity"))
        path = page.locator("ol.path > li")
        expect(path.first).to_contain_text("gold.client_activity")
        record = page.locator("ul.records li", has_text="customers.csv:2")
        expect(record).to_contain_text(SECRETS["email"])
        expect(page.get_by_text("snowmelt trace gold.client_activity")).to_be_visible()
        require_accessible(page)
        record.get_by_role("link", name=re.compile("customers.csv")).click()
        page.get_by_role("link", name="What became of it").click()
        expect(page.locator("ol.path")).to_contain_text("gold.client_activity")
        require_accessible(page)


def test_a_dashboard_says_if_it_is_current_and_leads_to_rows(
    browser: Browser,
    people: Served,
) -> None:
    with people.client(signed_in=False) as anybody:
        badge = anybody.get("/badge/people.svg").text
    with looking(browser, people) as page:
        page.goto("/dashboards/people")
        head = page.locator("#as-of")
        word = head.locator(".badge").inner_text()
        assert word in ("test warns", "stale"), "stale is it after a run that failed"
        assert f": {word}" in badge
        expect(head).to_contain_text("Data as of")
        why = head.get_by_role("link", name=re.compile("of client_activity warns"))
        expect(why).to_have_attribute("href", "/quality?status=warn")
        page.locator(".card-table").get_by_role("link", name="C002").click()
        expect(page.locator("ol.path > li").first).to_contain_text("client_activity")
        line = page.locator("ul.records li", has_text="customers.csv:3")
        expect(line).to_contain_text("C002")
        page.keyboard.press("/")
        page.keyboard.type("client_activity.email")
        page.keyboard.press("Enter")
        page.get_by_role("link", name="SQL of gold.client_activity.email").click()
        expect(page).to_have_url(re.compile(r"/sql\?q=select"))
        page.go_back()
        page.keyboard.press("/")
        page.keyboard.type("peo")
        page.keyboard.press("Enter")
        found = page.get_by_label("Dashboards", exact=True)
        found.get_by_role("link", name="People").click()
        head.locator("a", has=page.locator(".badge")).click()
        node = page.locator("#node")
        expect(node).to_contain_text("Data as of")
        expect(page.locator("a.node.here")).to_contain_text(word)


@pytest.mark.long
def test_quality_leads_from_a_figure_to_the_rows(
    browser: Browser,
    people: Served,
) -> None:
    with looking(browser, people) as page:
        page.goto("/quality")
        check = page.locator("#tests tr", has_text="customers_without_a_sale")
        expect(check).to_contain_text("warn")
        check.get_by_role("link", name="6", exact=True).click()
        expect(page.locator("#rows")).to_contain_text(SECRETS["name"].title())
        require_accessible(page)
        page.goto("/quality?source=customers")
        waterfall = page.locator("#waterfall")
        expect(waterfall).to_contain_text("Rows in silver")
        waterfall.get_by_role("link", name=re.compile("quarantine")).click()
        refused = page.locator("#quarantine")
        expect(refused).to_contain_text("email_format")
        expect(refused).to_contain_text(SECRETS["email of a refused row"])
        refused.get_by_role("link", name=re.compile("record")).first.click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Trace")
        page.goto("/quality?status=warn")
        assert "pass" not in page.locator("#tests td.end").all_inner_texts()


@pytest.mark.long
def test_a_key_that_is_not_there_is_told_with_one_that_is(
    browser: Browser,
    people: Served,
) -> None:
    with looking(browser, people) as page:
        page.goto("/trace?table=gold.client_activity&customer_id=nobody")
        told = page.get_by_role("alert").last
        expect(told).to_contain_text("has no such row")
        expect(told).to_contain_text("--key customer_id=C")
        page.goto("/trace?table=gold.client_activity&nothing=1")
        expect(page.get_by_role("alert").last).to_contain_text("no column 'nothing'")
        page.goto("/trace?file=none.csv")
        expect(page.get_by_role("alert").last).to_contain_text("o load is of this file")
        page.goto("/trace?load=x")
        expect(page.get_by_role("alert").last).to_contain_text("is no number")


@pytest.mark.long
def test_these_pages_are_accessible_and_as_wide_as_the_screen(
    browser: Browser,
    people: Served,
) -> None:
    with looking(browser, people, "dark", 400) as page:
        for path in PAGES.values():
            page.goto(path)
            page.wait_for_selector("html[data-ready]")
            over = "document.documentElement.scrollWidth - innerWidth"
            assert page.evaluate(over) <= 0, path
            require_accessible(page)


def test_names_and_cells_are_only_texts_on_these_pages(
    served: Served, owner: httpx.Client
) -> None:
    seen = 0
    name = quote(EVIL_FILE)
    for path in (
        *("/lineage", "/catalog", "/catalog/gold.by_region", "/catalog/gold.by_day"),
        *("/catalog/gold.by_region/profile", "/quality", f"/trace?file={name}"),
        f"/trace?table=gold.by_region&region={quote(EVIL)}",
        *(f"/lineage?select={quote(EVIL)}", f"/catalog?q={quote(EVIL)}"),
        f"/trace?table={quote(EVIL)}&{quote(EVIL)}={quote(EVIL)}",
        *(f"/quality/tests/{quote(EVIL)}", f"/catalog/{quote(EVIL)}"),
    ):
        text = owner.get(path).text
        assert "<img src=x" not in text, path
        assert "<b>orders" not in text, path
        seen += text.count("&lt;img src=x") + text.count("&lt;b&gt;orders")
    assert seen > 8, "they were there to be seen"
    assert served.process.poll() is None


@pytest.mark.long
@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_pictures_of_these_pages(
    browser: Browser,
    people: Served,
    scheme: str,
    width: int,
) -> None:
    PICTURES.mkdir(exist_ok=True)
    with looking(browser, people, scheme, width) as page:
        for name, path in PAGES.items():
            page.goto(path)
            page.wait_for_selector("html[data-ready]")
            page.wait_for_timeout(300)
            target = Path(PICTURES / f"{name}_{scheme}_{width}.png")
            page.screenshot(path=target, full_page=True)
            assert target.stat().st_size > 5000
