"""Attacks on the pages: each is one that a browser or a program can really make."""

from __future__ import annotations

import csv
import io
import re
import shlex
import socket
import subprocess
import time
import zipfile
from html import escape, unescape
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from seen_project import EVIL, EVIL_FILE, TOKEN, Served

from shop import SNOWMELT


class Tags(HTMLParser):
    """The tags of a page, as a browser takes them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, list[str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, [name for name, _ in attrs]))


PAGES = (
    *("/", "/files", "/files/1", "/rejects", "/runs", "/pipes", "/dashboards"),
    *("/tasks", "/tasks/fetch", "/alerts", "/alerts/sinks/broken", "/drift", "/doctor"),
)
PASSWORD = "correct horse battery"


def csrf(client: httpx.Client) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', client.get("/").text)
    assert found is not None
    return found[1]


def actions(served: Served) -> list[list[Any]]:
    sql = (
        "select who, door, action, arguments, result from snowmelt.action_log "
        "order by started_at"
    )
    with served.socket() as service:
        rows: list[list[Any]] = service.query(sql, None)["rows"]
    return rows


@pytest.mark.parametrize("path", [*PAGES, "/events", "/metrics", "/api/v1/health"])
def test_who_is_not_logged_in_sees_nothing(stranger: httpx.Client, path: str) -> None:
    answer = stranger.get(path)
    assert answer.status_code in (303, 401)
    assert "orders" not in answer.text
    if answer.status_code == 303:
        assert answer.headers["location"].startswith("/login?next=")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example:{port}",
        "localhost.evil.example:{port}",
        "127.0.0.1:1",
        "localhost",
        "user@localhost:{port}",
        "",
    ],
)
def test_another_name_is_not_answered(
    served: Served, owner: httpx.Client, host: str
) -> None:
    port = served.url.rpartition(":")[2]
    answer = owner.get("/", headers={"Host": host.format(port=port)})
    assert answer.status_code in (400, 421)
    assert "Health" not in answer.text


def test_loopback_has_three_names(served: Served, owner: httpx.Client) -> None:
    port = served.url.rpartition(":")[2]
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"):
        assert owner.get("/", headers={"Host": host}).status_code == 200, host


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_another_site_changes_nothing(
    served: Served, owner: httpx.Client, headers: dict[str, str]
) -> None:
    before = len(actions(served))
    form = {"csrf": csrf(owner), "pipe": "visits"}
    for path in ("/actions/pause", "/api/v1/pause", "/logout", "/login"):
        answer = owner.post(path, data=form, headers=headers)
        assert answer.status_code == 403, path
    assert len(actions(served)) == before


def test_another_site_reads_nothing(owner: httpx.Client) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
    for path in ("/", "/api/v1/health", "/static/app.js"):
        assert owner.get(path, headers=headers).status_code == 403


@pytest.mark.parametrize("token", [None, "", "0" * 64])
def test_an_action_needs_the_token_of_its_session(
    served: Served, owner: httpx.Client, token: str | None
) -> None:
    with served.client() as other:
        given = token if token is not None else csrf(other)
    before = len(actions(served))
    form = {"csrf": given, "pipe": "visits"}
    assert owner.post("/actions/pause", data=form).status_code == 403
    answer = owner.post(
        "/api/v1/pause", json={"pipe": "visits"}, headers={"X-CSRF-Token": given}
    )
    assert answer.status_code == 403
    assert len(actions(served)) == before


def test_an_action_is_done_and_on_record(served: Served, owner: httpx.Client) -> None:
    form = {"csrf": csrf(owner), "pipe": "visits"}
    answer = owner.post("/actions/pause", data=form)
    assert answer.status_code == 200
    assert "snowmelt pause visits" in answer.text, "its command is told"
    headers = {"X-CSRF-Token": form["csrf"]}
    resumed = owner.post("/api/v1/resume", json={"pipe": "visits"}, headers=headers)
    assert resumed.json()["execution_state"] == "RUNNING"
    refused = owner.post("/api/v1/resume", json={"pipe": "none"}, headers=headers)
    assert refused.status_code == 422
    subprocess.run([SNOWMELT, "resume", "visits"], cwd=served.root, check=True)
    rows = [row[1:] for row in actions(served)[-4:]]
    assert rows == [
        ["pages", "pause", '{"pipe": "visits"}', "done"],
        ["api", "resume", '{"pipe": "visits"}', "done"],
        ["api", "resume", '{"pipe": "none"}', "UsageError"],
        ["socket", "resume", '{"pipe": "visits"}', "done"],
    ]


def test_a_start_link_works_once(served: Served) -> None:
    done = subprocess.run(
        [SNOWMELT, "link"], cwd=served.root, check=True, capture_output=True, text=True
    )
    link = done.stdout.strip()
    with httpx.Client() as first, httpx.Client() as second:
        assert second.head(link).status_code == 200, "a preview does not use it up"
        answer = first.get(link)
        assert answer.status_code == 200
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        refused = second.get(link)
        assert refused.status_code == 403
        assert "set-cookie" not in refused.headers


def test_a_session_that_was_not_made_here_is_none(
    served: Served, stranger: httpx.Client
) -> None:
    """Whatever cookie a victim was handed, logging in gives another one."""
    name = f"snowmelt_{served.url.rpartition(':')[2]}"
    fixed = "eyJuYW1lIjoiIn0.aaaa"
    stranger.cookies.set(name, fixed, domain="127.0.0.1", path="/")
    assert stranger.get("/api/v1/health").status_code == 401
    first = stranger.get(served.link()).cookies[name]
    second = stranger.get(served.link()).cookies[name]
    assert len({fixed, first, second}) == 3


def test_who_logged_out_is_out_everywhere(served: Served) -> None:
    with served.client() as client:
        stolen = dict(client.cookies)
        form = {"csrf": csrf(client)}
        assert client.post("/logout", data=form).status_code == 303
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in stolen.items())}
        assert client.get("/api/v1/health", headers=headers).status_code == 401


def test_a_token_reads_and_does_not_act(stranger: httpx.Client) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert stranger.get("/api/v1/health", headers=headers).status_code == 200
    assert stranger.get("/metrics", headers=headers).status_code == 200
    for path in ("/api/v1/pause", "/actions/pause"):
        answer = stranger.post(path, headers=headers, json={"pipe": "visits"})
        assert answer.status_code == 403
    wrong = {"Authorization": f"Bearer {TOKEN}x"}
    assert stranger.get("/api/v1/health", headers=wrong).status_code == 401


def test_users_log_in_viewers_look_and_guessing_is_slow(
    served: Served, stranger: httpx.Client
) -> None:
    def users(*words: str) -> None:
        subprocess.run(
            [SNOWMELT, "users", *words],
            cwd=served.root,
            input=f"{PASSWORD}\n",
            text=True,
            check=True,
        )

    users("add", "ana", "--role", "viewer", "--password-stdin")
    assert (served.root / ".snowmelt" / "users.json").stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in (served.root / ".snowmelt" / "users.json").read_text()
    form = {"name": "ana", "password": PASSWORD, "next": "//evil.example"}
    answer = stranger.post("/login", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert stranger.get("/").status_code == 200
    assert "Run now" not in stranger.get("/").text
    refused = stranger.post("/actions/pause", data={"pipe": "visits"})
    assert refused.status_code == 403
    assert stranger.get("/api/v1/doctor").status_code == 200
    assert stranger.get("/api/v1/doctor?fresh=false").status_code == 200
    assert stranger.get("/api/v1/doctor?fresh=true").status_code == 403
    users("remove", "ana")
    assert stranger.get("/api/v1/health").status_code == 401, "her session is over"
    guesses = [
        stranger.post("/login", data=form | {"password": f"guess {n}"}).status_code
        for n in range(7)
    ]
    assert guesses[0] == 403
    assert guesses[-1] == 429
    assert guesses.index(429) <= 5


def test_operators_may_have_it_looked_for_anew(owner: httpx.Client) -> None:
    def checked(query: str = "") -> str:
        return str(owner.get(f"/api/v1/doctor{query}").json()["checked_at"])

    first = checked()
    assert checked() == first
    assert checked("?fresh=true") > first


def test_headers_let_nothing_in(owner: httpx.Client) -> None:
    for path in (*PAGES, "/dashboards/sales", "/nowhere", "/login"):
        answer = owner.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers
        tags = Tags(answer.text)
        assert tags.found
        for tag, attributes in tags.found:
            inline = [name for name in attributes if re.match("on|style$", name)]
            assert not inline, (path, tag, inline)
            assert tag not in ("style", "iframe", "object", "embed"), path
            assert tag != "script" or "src" in attributes, path


def test_names_cells_and_titles_are_only_texts(owner: httpx.Client) -> None:
    seen = 0
    loads = owner.get("/api/v1/files").json()["loads"]
    evil = next(each for each in loads if each["file_name"] == EVIL_FILE)  # as it is
    page = f"/files/{evil['load_seq']}"
    name = {"name": "<img src=x onerror=alert(1)>"}
    for path in (*PAGES, page, "/dashboards/sales"):
        text = owner.get(path).text
        assert "<img src=x" not in text, path
        assert "<b>note" not in text, path
        seen += text.count("&lt;img src=x")
    assert seen > 5, "they were there to be seen"
    assert EVIL not in owner.get("/files", params=name).text
    assert EVIL not in owner.get("/rejects", params={"reason": EVIL}).text
    assert EVIL not in owner.get("/dashboards/" + EVIL).text
    copied = f"snowmelt why {shlex.quote(EVIL_FILE)}"
    assert escape(copied, quote=True) in owner.get(page).text.replace(
        "&#34;", "&quot;"
    ).replace("&#39;", "&#x27;"), "a shell takes it for one name"
    badge = owner.get("/badge/sales.svg")
    assert "<img" not in badge.text


def test_a_spreadsheet_runs_nothing_of_a_download(owner: httpx.Client) -> None:
    answer = owner.get("/dashboards/sales/cards/4.csv")
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[0] == ["region", "amount", "orders", "<b>note</b>"]
    assert {row[3] for row in rows[1:]} == {"'=1+1"}
    assert all(float(row[1]) > 0 for row in rows[1:])
    answer = owner.get("/dashboards/sales/cards/4.xlsx")
    assert "attachment" in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
        texts = unescape(book.read("xl/sharedStrings.xml").decode())
    assert "<f>" not in sheet, "no formula"
    assert "<t>'=1+1</t>" in texts
    assert len(re.findall(r"<v>[\d.]+</v></c>", sheet)) > 3 * len(rows)


@pytest.mark.parametrize(
    "path",
    [
        "/static/..%2f..%2fapi.py",
        "/static/../api.py",
        "/static/%2e%2e/api.py",
        "/static//etc/passwd",
        "/api/v1/tables/..%2f..%2fsnowmelt.yml.csv",
        "/api/v1/tables/snowmelt.meta.csv",
        "/api/v1/tables/bronze.orders.csv",
        '/api/v1/tables/gold.by_region" union select 1 --.csv',
        "/dashboards/..%2f..%2fsnowmelt",
        "/badge/..%2f..%2fsnowmelt.svg",
    ],
)
def test_no_address_leads_out(owner: httpx.Client, path: str) -> None:
    answer = owner.get(path)
    assert answer.status_code in (404, 422)
    assert "version: 1" not in answer.text
    assert "schema_version" not in answer.text


@pytest.mark.parametrize("name", ["../snowmelt.yml", "/etc/passwd", "a/../../x"])
def test_no_name_leads_out_of_the_stage(owner: httpx.Client, name: str) -> None:
    headers = {"X-CSRF-Token": csrf(owner)}
    for verb in ("hold", "release", "reject"):
        answer = owner.post(f"/api/v1/{verb}", json={"file": name}, headers=headers)
        assert answer.status_code == 422
    answer = owner.post("/api/v1/reload", json={"files": [name]}, headers=headers)
    assert "landing folder" in answer.json()["error"]["problem"]
    assert owner.get("/api/v1/why", params={"target": name}).status_code == 422


def test_what_is_too_large_is_not_taken(served: Served, owner: httpx.Client) -> None:
    body = b"x" * 100_000
    assert owner.post("/api/v1/pause", content=body).status_code == 413

    def chunks() -> Any:
        for _ in range(100):
            yield b"x" * 1000

    assert owner.post("/login", content=chunks()).status_code == 413
    long = owner.get("/files", params={"name": "x" * 30_000})
    assert long.status_code in (400, 414, 431)
    assert served.process.poll() is None
    assert owner.get("/healthz").status_code == 200


@pytest.mark.long
def test_a_client_that_never_ends_is_let_go(served: Served) -> None:
    port = int(served.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ")
        began = time.monotonic()
        while time.monotonic() - began < 25:
            try:
                slow.sendall(b"a")
                slow.settimeout(0.5)
                if slow.recv(100) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        assert 5 < time.monotonic() - began < 20


def test_downloads_say_which_run_they_are_of(owner: httpx.Client) -> None:
    run_id = owner.get("/api/v1/shell").json()["run_id"]
    table = owner.get("/api/v1/tables/gold.by_region.json")
    assert table.headers["x-snowmelt-run"] == run_id
    rows = table.json()
    assert {row["region"] for row in rows} >= {"r0", "r1", "r2", "r3"}
    text = owner.get("/api/v1/tables/gold.by_region.csv").text
    assert len(list(csv.reader(io.StringIO(text)))) == len(rows) + 1
    arrow = owner.get("/api/v1/tables/gold.by_region.arrow")
    ipc = pytest.importorskip("pyarrow.ipc")
    assert ipc.open_stream(arrow.content).read_all().num_rows == len(rows)
