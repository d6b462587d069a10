"""The SQL page: what people ask of it, and what they must not get."""

from __future__ import annotations

import csv
import io
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest
from looking import looking, require_accessible
from playwright.sync_api import Browser, expect
from seen_project import EVIL, TOKEN, Served

from s3_server import wait_until
from snowmelt.clock import SystemClock
from snowmelt.events import Events
from snowmelt.project.project import load_project
from snowmelt.project.serving import ServeConfig
from snowmelt.serve.users import Role
from snowmelt.service.asking.asking import Asking
from snowmelt.service.opening import opened

FOR_EVER = "select sum(a.range + b.range) from range(1000000000) a, range(1000000) b"
ATTACKS = [
    "select * from read_text('/etc/passwd')",
    "select * from 'snowmelt.yml'",
    "select * from duckdb_settings()",
    "select * from snowmelt.action_log",
    "copy gold.by_region to 'landing/orders_666.csv'",
    "select 1; drop table gold.by_region",
]
WORDS = ("root:", "version: 1", "memory_limit", ".snowmelt/")


@pytest.fixture
def viewer(served: Served) -> Iterator[httpx.Client]:
    """A client that may read: it asks a child over what is published."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=served.url, headers=headers, timeout=60) as client:
        yield client


def asked(client: httpx.Client, sql: str) -> str:
    answer = client.get("/sql", params={"q": sql})
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.mark.parametrize(
    "path", ["/sql", "/sql?q=select+1", "/sql/answer.csv?q=select+1"]
)
def test_who_is_not_logged_in_asks_nothing(stranger: httpx.Client, path: str) -> None:
    answer = stranger.get(path)
    assert answer.status_code in (303, 401)
    assert "gold" not in answer.text


@pytest.mark.parametrize("sql", ATTACKS)
def test_attacks_get_a_sentence_and_nothing_else(
    owner: httpx.Client, viewer: httpx.Client, sql: str
) -> None:
    for client in (owner, viewer):
        page = asked(client, sql)
        assert 'id="problem"' in page
        assert 'id="result"' not in page
        assert not [word for word in WORDS if word in page], sql
        for kind in ("csv", "parquet"):
            answer = client.get(f"/sql/answer.{kind}", params={"q": sql})
            assert answer.status_code == 422, sql
            assert not [word for word in WORDS if word in answer.text]
    assert 'id="result"' in asked(owner, "select * from gold.by_region")


def test_viewers_ask_what_is_published_and_nothing_else(
    owner: httpx.Client, viewer: httpx.Client
) -> None:
    for table in ("bronze.orders", "silver.orders", "snowmelt.load_history"):
        assert 'id="result"' in asked(owner, f"select * from {table}")
        assert 'id="problem"' in asked(viewer, f"select * from {table}")
        assert viewer.get("/sql/columns", params={"table": table}).status_code == 404
    sql = "select region, amount from gold.by_region order by region"
    mine = owner.get("/sql/answer.csv", params={"q": sql})
    theirs = viewer.get("/sql/answer.csv", params={"q": sql})
    assert mine.text == theirs.text
    assert mine.headers["x-snowmelt-run"] == theirs.headers["x-snowmelt-run"]
    assert (
        "snowmelt" not in viewer.get("/sql").text.split('class="card flush tables"')[1]
    )


def test_a_query_for_ever_is_ended_and_nobody_waits_for_it(
    viewer: httpx.Client, stranger: httpx.Client
) -> None:
    page: list[str] = []
    thread = threading.Thread(target=lambda: page.append(asked(viewer, FOR_EVER)))
    began = time.monotonic()
    thread.start()
    slowest = 0.0
    while thread.is_alive():
        before = time.monotonic()
        assert stranger.get("/readyz").status_code == 200
        slowest = max(slowest, time.monotonic() - before)
        thread.join(0.1)
    assert 'id="problem"' in page[0]
    assert time.monotonic() - began < 15
    assert slowest < 5


def test_an_operator_s_query_is_stopped_in_time(owner: httpx.Client) -> None:
    page = asked(owner, FOR_EVER)
    assert "was stopped after 2 s" in page
    assert 'id="result"' in asked(owner, "select * from gold.by_region")


def test_downloads_are_harmless_and_have_all_rows(
    served: Served, owner: httpx.Client, viewer: httpx.Client, tmp_path: Path
) -> None:
    sql = (
        "select region, amount, '=1+1' as \"=note\", -5 as n, '@x' as at "
        "from gold.by_region order by region"
    )
    for client in (owner, viewer):
        rows = list(csv.reader(io.StringIO(get(client, "csv", sql).decode())))
        assert rows[0] == ["region", "amount", "'=note", "n", "at"]
        assert {(row[2], row[3], row[4]) for row in rows[1:]} == {
            ("'=1+1", "-5", "'@x")
        }
        with zipfile.ZipFile(io.BytesIO(get(client, "xlsx", sql))) as book:
            texts = book.read("xl/worksheets/sheet1.xml").decode()
        assert "<f>" not in texts, "no formula"
        assert "'=1+1" in texts
        assert "<v>-5</v>" in texts, "a number is a number"
        path = tmp_path / "answer.parquet"
        path.write_bytes(get(client, "parquet", sql))
        found = duckdb.sql(
            f"select typeof(amount), count(*) from '{path}' group by all"
        )
        assert found.fetchall() == [("DECIMAL(38,2)", len(rows) - 1)]
    spool = served.root / ".snowmelt" / "spool"
    wait_until(lambda: not list(spool.glob("answer-*")))  # after the last byte


def get(client: httpx.Client, kind: str, sql: str) -> bytes:
    answer = client.get(f"/sql/answer.{kind}", params={"q": sql})
    assert answer.status_code == 200, answer.text
    assert f"answer.{kind}" in answer.headers["content-disposition"]
    return answer.content


def test_names_and_cells_are_only_texts(owner: httpx.Client) -> None:
    text = EVIL.replace("'", "''")
    page = asked(owner, f"select '{text}' as \"{EVIL}\", '{text}' from nowhere.{'x'}")
    page += asked(owner, f"select '{text}' as \"{EVIL}\"")
    assert "<img src=x" not in page
    assert page.count("&lt;img src=x") > 3
    card = owner.get("/sql/card", params={"q": f"select '{text}' as x"})
    assert "<img src=x" not in card.text


def test_a_copy_of_gold_is_made_once_a_run_and_is_the_newest(
    served: Served, viewer: httpx.Client
) -> None:
    copies = served.root / ".snowmelt" / "spool" / "published"
    asked(viewer, "select 1")
    first = set(copies.iterdir())
    asked(viewer, "select 2")
    assert set(copies.iterdir()) == first
    assert len(first) == 1


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("who", ["off", "operators", "viewers"])
def test_who_may_ask_is_what_the_settings_say(role: Role, who: str) -> None:
    class Parts:
        class project:
            class settings:
                serve = ServeConfig.model_validate({"sql": who})
                layers = type("L", (), {"default": "main", "bronze": "bronze"})

    parts: Any = Parts
    told = Asking(parts).refusal(role)
    may = who == "viewers" or (who == "operators" and role is Role.OPERATOR)
    assert bool(told) is not may
    assert ServeConfig().sql == "operators", "viewers may not ask unless told"


def test_for_other_machines_operators_ask_a_child_too(tmp_path: Path) -> None:
    """On any bind but loopback nobody's query runs in the service's own process."""
    (tmp_path / "snowmelt.yml").write_text(
        "version: 1\nname: far\nserve: {host: 0.0.0.0}\n"
    )
    (tmp_path / "pipes").mkdir()
    (tmp_path / "dbt_project.yml").write_text("name: far\nprofile: snowmelt\n")
    with opened(load_project(tmp_path), SystemClock(), Events()) as parts:
        asking = Asking(parts)
        assert asking.tables(Role.OPERATOR)["place"] == "published"
        with parts.warehouse.session() as session:
            session.execute("create schema if not exists bronze")
            session.execute("create table bronze.secret as select 1 as x")
        with pytest.raises(Exception, match="may be read here"):
            asking.ask(Role.OPERATOR, "select * from bronze.secret", 10)


def test_a_person_asks_mends_their_query_and_takes_the_answer_along(
    browser: Browser,
    served: Served,
) -> None:
    with looking(browser, served) as page:
        page.get_by_role("link", name="SQL").click()
        editor = page.get_by_label("Query")
        editor.fill("select regio, amount\nfrom gold.by_region")
        editor.press("Control+Enter")
        problem = page.locator("#problem")
        expect(problem).to_contain_text("Did you mean region?")
        expect(problem).to_contain_text("Line 1, column 8")
        chosen = "e => e.value.slice(e.selectionStart, e.selectionEnd)"
        assert editor.evaluate(chosen) == "regio"
        require_accessible(page)
        page.keyboard.type("region")
        page.keyboard.press("Control+Enter")
        expect(page.locator("#result tbody tr").first).to_be_visible()
        assert "q=select+region" in page.url, "the query is in the address"
        with page.expect_download() as download:
            page.get_by_role("link", name="Excel").click()
        assert zipfile.is_zipfile(download.value.path())
        page.get_by_text("Save as a dashboard card").click()
        card = page.locator("#card-text pre")
        expect(card).to_contain_text("chart: bar")
        expect(card).to_contain_text("{{ ref('by_region') }}")
        page.locator(".tables summary", has_text="by_day").click()
        page.get_by_role("button", name="ordered_on").click()
        assert editor.input_value().endswith("ordered_on")
        require_accessible(page)
        page.go_back()
        expect(problem).to_be_visible()
    with looking(browser, served, "dark", 400) as page:
        page.goto("/sql?q=select+*+from+gold.by_region")
        expect(page.locator("#result")).to_be_visible()
        over = "document.documentElement.scrollWidth - innerWidth"
        assert page.evaluate(over) <= 0
