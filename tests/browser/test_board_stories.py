"""Dashboards in a browser and over the wire: chosen, compared, edited, shared.

Whoever has a link to one dashboard sees that dashboard; what they try beside it fails.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
from looking import looking, require_accessible
from playwright.sync_api import Browser, Page, expect
from seen_project import EVIL, Served, until
from test_safety import Tags, csrf
from test_stories import FIRST_LOAD_BYTES_MAX

from snowmelt.project.number_format import read_format

PATH = "/dashboards/regions"
INJECTIONS = [
    *("' or true --", "x') or true --", "'; drop table silver.orders; --", "$1", "\\"),
    *("{{ ref('orders') }}", "r1' union select 'x", "*/ true /*", EVIL, "%", "null"),
]


def figure(page: Page, card: int) -> str:
    return page.locator(f"#card-{card} .figure").inner_text()


def test_a_choice_stands_in_the_address_and_goes_along(
    browser: Browser, served: Served
) -> None:
    """Chosen, compared, taken back: each time the address says what is shown."""
    loaded: list[int] = []
    with looking(browser, served, loaded=loaded) as page:
        loaded.clear()
        page.goto(PATH)
        expect(page.locator("#card-3 svg")).to_be_visible()
        assert sum(loaded) <= FIRST_LOAD_BYTES_MAX
        whole = figure(page, 1)
        assert page.locator(".unfiltered").count() == 0

        page.get_by_label("Region: all").click()
        page.get_by_label("r1", exact=True).check()
        page.get_by_label("r2", exact=True).check()
        page.get_by_role("button", name="Apply").first.click()
        page.wait_for_url(f"{served.url}{PATH}?region=r1&region=r2&period=all")
        assert int(figure(page, 1)) < int(whole)
        expect(page.locator("#card-2 .unfiltered")).to_contain_text("Region")

        page.get_by_label("Period", exact=True).select_option("last_90_days")
        page.wait_for_url(re.compile("region=r1&region=r2&period=last_90_days$"))
        expect(page.locator("#card-0 .compared")).to_contain_text("before")
        expect(page.locator("#same-as code")).to_have_text(
            "snowmelt dashboards regions --filter region=r1 --filter region=r2 "
            "--filter period=last_90_days"
        )
        page.locator("#card-7").get_by_role("link", name="r2").click()
        page.wait_for_url(re.compile(r"region=r2&period=last_90_days$"))
        page.locator("#card-4 a").first.focus()
        require_accessible(page)
        page.get_by_role("link", name="Reset").click()
        page.wait_for_url(f"{served.url}{PATH}")
        expect(page.locator("#card-1 .figure")).to_have_text(whole)


def test_a_bar_leads_on_and_a_chart_is_saved_as_a_picture(
    browser: Browser, served: Served
) -> None:
    with looking(browser, served, "dark", 400) as page:
        page.goto(f"{PATH}?region=r1")
        expect(page.locator("#card-3 svg")).to_be_visible()
        texts = page.locator("#card-3 svg text").all_text_contents()
        assert any(text.startswith("$") for text in texts), texts
        assert any(re.fullmatch(r"[A-Z][a-z]{2} 2026", text) for text in texts), texts
        over = "document.documentElement.scrollWidth - innerWidth"
        assert page.evaluate(over) <= 0
        for name in (
            *("Revenue by region and month", "Revenue of regions"),
            *("Orders by month", "How large"),
        ):
            with page.expect_download() as saved:
                page.get_by_role("button", name=f"Picture of {name}").click()
            content = Path(saved.value.path()).read_bytes()
            assert content.startswith(b"\x89PNG"), name
            assert len(content) > 3000
            colours = page.evaluate(COLOURS, base64.b64encode(content).decode())
            assert colours > 20, f"{name}: there is something in the picture"
        tables = page.locator(".card-table, .card-kpi")
        assert tables.count() > 3
        expect(tables.get_by_role("button", name=re.compile("^Picture"))).to_have_count(
            0
        )
        require_accessible(page)
        cases = [(text, value) for text in FORMATS for value in VALUES]
        pairs = [[read_format(t).as_document(), v] for t, v in cases]
        script = "pairs => pairs.map(([f, v]) => snowmeltCharts.write(f, v))"
        told = page.evaluate(script, pairs)
        assert told == [read_format(t).write(v) for t, v in cases], "one way to write"


COLOURS = """async (encoded) => {
  const bytes = Uint8Array.from(atob(encoded), (each) => each.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  return new Set(new Uint32Array(data.buffer)).size;
}"""
FORMATS = ["0", "0,0", "$0.0a", "0.00", "0.0%", "R$0,0.00", "0a EUR", "0,0.0a"]
VALUES = [0, 1, -1, 0.5, 12.25, 999.5, 1000, 1234.5, 99950, 999_999, 1e6, 2.5e9, -4e13]


def test_a_dashboard_is_followed_while_it_is_edited(
    browser: Browser, served: Served
) -> None:
    """Saved, broken, mended: the page shows it, and what was right stays meanwhile."""
    path = served.root / "dashboards" / "regions.yml"
    before = path.read_text()
    try:
        with looking(browser, served) as page:
            page.goto(PATH)
            page.wait_for_selector("html[data-connection=live]")
            page.evaluate("window.notReloaded = true")
            page.locator("#card-1 summary", has_text="SQL").click()
            path.write_text(before.replace("All orders", "Every order"))
            heading = page.locator("#card-2 h2")
            expect(heading).to_have_text("Every order", timeout=5000)
            expect(page.locator("#card-1 pre")).to_be_visible()

            path.write_text(before.replace("kpi: All orders", "kpie: All orders"))
            problem = page.locator("#problem")
            expect(problem).to_contain_text("dashboards/regions.yml:", timeout=5000)
            expect(problem).to_contain_text("unknown key")
            expect(heading).to_have_text("Every order")
            require_accessible(page)

            path.write_text(before.replace("count(*) as orders", "count(*) as other"))
            broken = page.locator("#card-1")
            expect(broken).to_contain_text("returns no column 'orders'", timeout=5000)
            expect(broken).to_contain_text("dashboards/regions.yml:")
            expect(page.locator("#card-0 .figure")).to_contain_text("$")
            expect(problem).to_be_empty()

            path.write_text(before)
            expect(page.locator("#card-1 .figure")).to_be_visible(timeout=5000)
            assert page.evaluate("window.notReloaded")
    finally:
        path.write_text(before)


@pytest.fixture
def shared(served: Served) -> Iterator[dict[str, Any]]:
    with served.socket() as service:
        found = service.share("regions", 3, ["http://127.0.0.1:1"], None)
        yield found
        listed = [each["id"] for each in service.shares()["shares"]]
        if found["id"] in listed:
            service.unshare(found["id"])


@contextmanager
def another_site(shown: dict[str, str]) -> Iterator[str]:
    """Serve a page that shows an address in a frame."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            frame = f'<iframe src="{shown["src"]}" width=900 height=900></iframe>'
            content = frame.encode() if self.path == "/" else b""
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def test_another_site_shows_one_dashboard_if_it_may(
    browser: Browser, served: Served
) -> None:
    """In a frame of the site that was named; in no other's; and nothing beside it."""
    shown: dict[str, str] = {}
    with another_site(shown) as site, another_site(shown) as stranger:
        with served.socket() as service:
            link = service.share("regions", 3, [site], None)
        shown["src"] = f"{served.url}{link['path']}"
        with browser.new_context() as context:
            page = context.new_page()
            page.goto(stranger)
            page.wait_for_timeout(300)
            assert page.frames[1].url.startswith("chrome-error:"), "not its site"
        with browser.new_context() as context:
            page = context.new_page()
            problems: list[str] = []
            page.on(
                "console", lambda told: problems.append(f"{told.type}: {told.text}")
            )
            page.goto(site)
            frame = page.frame_locator("iframe")
            expect(frame.locator("h1")).to_have_text("Regions")
            expect(frame.locator("#card-3 svg")).to_be_visible()
            assert frame.locator("main a[href]").count() == 0
            assert frame.locator("pre, [name=csrf], [data-picture]").count() == 0
            frame.get_by_label("Period", exact=True).select_option("last_90_days")
            expect(frame.locator(".in-words")).to_contain_text("Period")
            assert not problems
            page.goto(shown["src"])
            require_accessible(page)
            shown["src"] = f"{served.url}/dashboards/regions"
            page.goto(site)
            page.wait_for_timeout(300)
            assert page.frames[1].url.startswith("chrome-error:"), "no other page"
        with served.socket() as service:
            service.unshare(link["id"])


def test_a_link_shows_one_dashboard_and_nothing_else(
    stranger: httpx.Client, owner: httpx.Client, shared: dict[str, Any]
) -> None:
    answer = stranger.get(shared["path"])
    assert answer.status_code == 200
    assert "Regions" in answer.text
    policy = answer.headers["content-security-policy"]
    assert policy.endswith("frame-ancestors http://127.0.0.1:1")
    assert "x-frame-options" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert not re.search(r'(href|action)="/(?!static/|embed/)', answer.text)
    assert "<pre" not in answer.text, "no SQL"
    assert "silver" not in answer.text
    tags = Tags(answer.text).found
    assert {name for name, _ in tags}.isdisjoint({"img", "iframe", "object"})
    known = stranger.get(
        shared["path"], headers={"If-None-Match": answer.headers["etag"]}
    )
    assert known.status_code == 304
    assert known.headers["content-security-policy"] == policy

    token = shared["path"].rpartition("/")[2]
    beside = [
        *("/", PATH, "/dashboards/sales", f"{PATH}?token={token}", "/files", "/events"),
        *(f"{PATH}/cards/0.csv", "/api/v1/board?name=regions", "/metrics"),
        *(f"{shared['path']}/cards/0.csv", f"{shared['path']}/../../dashboards/sales"),
    ]
    for path in beside:
        refused = stranger.get(path, headers={"Authorization": f"Bearer {token}"})
        assert refused.status_code in (303, 401, 404), path
        assert "$" not in refused.text, path
    cookie = f"snowmelt_{urlsplit(str(stranger.base_url)).port}={token}"
    asked = stranger.get("/api/v1/shell", headers={"Cookie": cookie})
    assert asked.status_code == 401
    for verb in ("run", "share", "pause"):
        refused = stranger.post(f"/actions/{verb}", data={"csrf": token})
        assert refused.status_code in (401, 403)
    assert stranger.post(shared["path"]).status_code in (401, 403, 405)
    for path in (PATH, "/", "/dashboards"):
        headers = owner.get(path).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"


def test_a_link_that_is_forged_over_or_taken_back_shows_nothing(
    served: Served, stranger: httpx.Client, shared: dict[str, Any]
) -> None:
    token = shared["path"].rpartition("/")[2]
    name, _, signature = token.partition(".")
    flipped = "0" if signature[-1] != "0" else "1"
    forged = [
        *(
            f"{name}.{signature[:-1]}{flipped}",
            f"{'0' * 16}.{signature}",
            name,
            "x",
        ),
        *(f"{name}.{'0' * 64}", f"{token}0", f"{name}.", quote("../" + token, safe="")),
        *(token.upper(), f"{name}.{signature[:-1]}", "%00", f"{name}%2e{signature}x"),
    ]
    for each in forged:
        answer = stranger.get(f"/embed/{each}")
        assert answer.status_code == 404, each
        assert "Regions" not in answer.text
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    path = served.root / ".snowmelt" / "shares.json"
    assert path.stat().st_mode & 0o777 == 0o600
    kept = path.read_text()
    assert signature not in kept, "the file opens nothing"
    content = json.loads(kept)
    for each in content["shares"]:
        each["until"] = "2020-01-01T00:00:00+00:00"
    path.write_text(json.dumps(content))
    try:
        assert stranger.get(shared["path"]).status_code == 404
    finally:
        path.write_text(kept)
    assert stranger.get(shared["path"]).status_code == 200
    with served.socket() as service:
        service.unshare(shared["id"])
    assert stranger.get(shared["path"]).status_code == 404


def test_what_is_chosen_for_strangers_they_cannot_choose_otherwise(
    served: Served, stranger: httpx.Client
) -> None:
    path = served.root / "dashboards" / "narrow.yml"
    card = (
        "{kpi: Orders, value: n, sql: \"select count(*) as n from {{ ref('orders') }} "
        "where {{ filter('region') }} and {{ filter('part') }}\"}"
    )
    column = "\"{{ ref('orders') }}.region\""
    text = (
        "title: Narrow\nfilters:\n"
        f"  - {{name: region, type: select, column: {column}, default: r1}}\n"
        f"  - {{name: part, type: text, column: {column}}}\nrows: [[{card}]]\n"
    )
    path.write_text(text)
    try:
        with served.socket() as service:
            link = service.share("narrow", 1, [], "region=r1")
            count = "select count(*) from silver.orders where region = 'r1'"
            ((wanted,),) = service.query(count, None)["rows"]
            for tried in ("", "?region=r2", "?region=*", "?region=", "?part="):
                html = stranger.get(link["path"] + tried).text
                assert f'title="{wanted:,}"' in html, tried
                assert "Region: r1" in html
                assert "r2" not in html, "what else there is, is not told"
            with pytest.raises(Exception, match="does not take the filter 'region'"):
                service.share("regions", 1, [], "region=r1")
            path.write_text(text.replace("{{ filter('region') }} and ", ""))
            until(
                lambda: stranger.get(link["path"]).status_code == 404,
                "a card that would show more is not shown",
            )
            service.unshare(link["id"])
    finally:
        path.unlink()


def test_a_value_from_the_address_is_a_value(
    owner: httpx.Client, served: Served
) -> None:
    """Whatever is written into a filter: no other rows, no other statement, no tags."""
    count = "select count(*), sum(amount) from silver.orders"
    with served.socket() as service:
        before = service.query(count, None)["rows"]
        statements = set()
        for text in INJECTIONS:
            address = f"region={quote(text)}&part={quote(text)}"
            found = service.dashboard("regions", address)
            statements.add(found["cards"][1]["sql"])
            ((shown,),) = found["cards"][1]["rows"]
            same = "select count(*) from silver.orders where region = '{}'"
            literal = text.replace("'", "''")
            assert [[shown]] == service.query(same.format(literal), None)["rows"], text
            answer = owner.get(f"{PATH}?{address}")
            assert answer.status_code == 200
            tags = Tags(answer.text).found
            images = [names for name, names in tags if name == "img"]
            assert images == [["src", "alt"]], "ours alone"
            assert not any(n.startswith("on") for _, names in tags for n in names)
        assert len(statements) == 1, "one text, whatever is chosen"
        assert service.query(count, None)["rows"] == before


def test_what_is_no_choice_is_said_and_the_rest_is_shown(owner: httpx.Client) -> None:
    answer = owner.get(f"{PATH}?period=2024-99-01..")
    assert answer.status_code == 422
    assert "is no day" in answer.text
    assert 'id="card-0"' in answer.text
    assert owner.get(f"{PATH}?utm_source=mail").status_code == 200
    api = owner.get("/api/v1/dashboard", params={"name": "regions", "filters": "x=1"})
    assert api.status_code == 422
    assert "there is no such filter" in api.text
    short = owner.get("/d/regions?region=r1")
    assert short.headers["location"] == f"{PATH}?region=r1"


def test_a_card_as_csv_has_what_is_chosen_and_is_not_sent_twice(
    owner: httpx.Client, served: Served
) -> None:
    path = f"{PATH}/cards/7.csv?region=r1"
    answer = owner.get(path)
    lines = answer.text.split("\r\n")
    assert [line.split(",")[0] for line in lines if line] == ["region", "r1"]
    again = owner.get(path, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.text) == (304, "")
    assert again.headers["x-snowmelt-run"]
    served.land(
        "orders_csv.csv", "order_id,region,amount,ordered_on\n777,r1,1,2026-01-01\n"
    )
    until(
        lambda: owner.get(path, headers={"If-None-Match": answer.headers["etag"]}).text,
        "a publication makes an answer old",
    )


def test_cards_are_of_one_run_while_runs_follow_each_other(served: Served) -> None:
    """Answers that are kept from earlier runs are never mixed with those of a later."""
    runs: list[str] = []
    sql = "select sum(orders) from gold.by_region"
    with served.socket() as service:
        ((first,),) = service.query(sql, None)["rows"]
        for number in range(2):
            text = (
                f"order_id,region,amount,ordered_on\n{900 + number},r1,1,2026-01-01\n"
            )
            served.land(f"orders_more_{number}.csv", text)
            wanted = int(first) + number + 1

            def seen(wanted: int = wanted) -> bool:
                found = service.dashboard("regions", None)
                runs.append(found["run_id"])
                cards = found["cards"]
                every = {cards[1]["rows"][0][0], cards[2]["rows"][0][0]}
                every.add(sum(row[2] for row in cards[5]["rows"]))
                every.add(cards[6]["rows"][0][1])
                assert len(every) == 1, (found["run_id"], every)
                return every == {wanted}

            until(seen, "the row is shown")
    assert len(set(runs)) >= 2
    assert runs == sorted(runs)


def test_an_operator_makes_a_link_and_a_viewer_does_not(
    owner: httpx.Client, stranger: httpx.Client, served: Served
) -> None:
    form = {"csrf": csrf(owner), "dashboard": "regions", "days": "2", "origins": ""}
    answer = owner.post("/actions/share", data=form, headers={"HX-Request": "true"})
    assert answer.status_code == 200, answer.text
    link = re.search(r'id="opens">([^<]+)<', answer.text)
    assert link is not None
    assert urlsplit(link[1]).netloc == urlsplit(served.url).netloc
    assert stranger.get(urlsplit(link[1]).path).status_code == 200
    assert "snowmelt link --dashboard regions --days 2" in answer.text
    odd = [
        ("days", "x"),
        ("days", "0"),
        ("origins", "x; script-src *"),
        ("dashboard", "no"),
    ]
    for name, value in odd:
        refused = owner.post(
            "/actions/share", data={**form, name: value}, headers={"HX-Request": "true"}
        )
        assert refused.status_code in (404, 422), (name, value)
    with served.socket() as service:
        listed = service.shares()["shares"]
        assert [each["dashboard"] for each in listed] == ["regions"]
        service.unshare(listed[0]["id"])
        rows = service.query(
            "select action, result from snowmelt.action_log "
            "where action in ('share', 'unshare') order by started_at",
            None,
        )["rows"]
    assert ["share", "done"] in rows
    assert rows[-1] == ["unshare", "done"]
