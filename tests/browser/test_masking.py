"""Viewers see nothing that is about persons: every page, answer and download is asked.

Unique secrets lie in marked columns, in refused records, refused rows, failing rows and
in the message of a run that failed. An operator finds every one of them.
"""

from __future__ import annotations

import base64
import re
import subprocess
from collections import Counter
from html import unescape
from typing import Any
from urllib.parse import unquote_plus, urljoin, urlsplit

import httpx
import pytest
from people_project import DOMAIN, SECRETS
from seen_project import TOKEN, Served
from viewing import viewing

from shop import SNOWMELT
from snowmelt.serve.web_api import READS
from snowmelt.service.masking.commands import HARMLESS, MASKED

PAGES_MAX = 400
NOT_FOLLOWED = ("/start", "/login", "/logout", "/static", "/events")
BEGIN = (
    *("/", "/trace?file=customers.csv"),
    *(
        "/trace?table=silver.customers_clean&customer_id=C001",
        "/rejects?model=silver.customers_clean",
    ),
    "/trace?table=gold.client_activity&customer_id=C001",
    "/trace?table=gold.client_activity&name=" + SECRETS["name"],
    *(f"/trace?file=customers.csv&row={n}" for n in (1, 13, 14, 15, 16, 17)),
)
ARGUMENTS: dict[str, list[dict[str, Any]]] = {
    "why": [{"target": "customers.csv"}, {"target": "breaking"}],
    "dashboard": [{"name": "people"}],
    "board": [{"name": "people"}],
    "file": [{"load": n} for n in range(1, 4)],
    "table": [{"name": "gold.domains"}, {"name": "silver.customers_clean"}],
    "profile": [{"name": "gold.client_activity"}, {"name": "bronze.customers"}],
    "log": [{"object": "raw/customers/2026/customers.csv"}, {}],
}
FORMATS = ("csv", "json", "arrow")
NOT_ON_RECORD = {"graph_run", "task_detail", "alert", "deliveries"}
"""They need a task, an alert or a sink, and this project has none."""


def plainly(content: bytes) -> str:
    """Return everything that a text may be read as, in lower case."""
    text = content.decode("utf-8", "replace")
    return f"{text}\n{unescape(text)}\n{unquote_plus(unescape(text))}".lower()


def secrets_in(content: bytes) -> set[str]:
    text = plainly(content)
    found = {name for name, secret in SECRETS.items() if secret.lower() in text}
    for encoded in re.findall(
        r"[a-z0-9+/]{24,}={0,2}", content.decode("latin-1"), re.I
    ):
        try:
            decoded = base64.b64decode(encoded + "=" * (-len(encoded) % 4)).lower()
        except ValueError:
            continue
        found |= {n for n, s in SECRETS.items() if s.lower().encode() in decoded}
    return found


def links_of(path: str, answer: httpx.Response) -> list[str]:
    if "html" not in answer.headers.get("content-type", ""):
        return []
    found = []
    for href in re.findall(r'(?:href|hx-get|action)="([^"]+)"', answer.text):
        parts = urlsplit(urljoin(path, unescape(href)))
        if not parts.netloc and not parts.path.startswith(NOT_FOLLOWED):
            found.append(parts.path + (f"?{parts.query}" if parts.query else ""))
    return found


def kind_of(path: str) -> str:
    """Return what kind of page an address is: its route, and what it is asked for."""
    parts = urlsplit(path)
    steps = [
        step if len(step) < 12 and step.isalpha() else "*"
        for step in parts.path.split("/")
    ]
    names = sorted({each.partition("=")[0] for each in parts.query.split("&")})
    return "/".join(steps) + "?" + "&".join(names)


def crawl(client: httpx.Client, each_kind: int) -> dict[str, set[str]]:
    """Follow links from the start page; return the secrets of each address.

    Of each kind of page so many are looked at.
    """
    waiting, found = list(BEGIN), dict[str, set[str]]()
    seen: Counter[str] = Counter()
    while waiting and len(found) < PAGES_MAX:
        path = waiting.pop(0)
        kind = kind_of(path)
        if path in found or (seen[kind] >= each_kind and path not in BEGIN):
            continue
        seen[kind] += 1
        answer = client.get(path)
        assert answer.status_code < 500, (path, answer.text[:300])
        asked = plainly(path.encode())
        found[path] = {
            each
            for each in secrets_in(answer.content)
            if SECRETS[each].lower() not in asked  # what somebody typed in, told back
        }
        waiting += [each for each in links_of(path, answer) if each not in found]
    return found


def ask_everything(client: httpx.Client) -> dict[str, set[str]]:
    """Ask every verb that reads, and download tables in every format."""
    found = {}
    newest = client.get("/api/v1/runs").json()["runs"][:2]
    given = ARGUMENTS | {"run_detail": [{"run": run["run_id"]} for run in newest]}
    tests = client.get("/api/v1/quality").json()["tests"]
    given["quality_test"] = [{"test": t["test"]} for t in tests if t["level"] != "pass"]
    for verb in sorted(READS.keys() - NOT_ON_RECORD):
        for arguments in given.get(verb, [{}]):
            answer = client.get(f"/api/v1/{verb}", params=arguments)
            assert answer.status_code == 200, (verb, arguments, answer.text[:300])
            found[f"{verb} {arguments}"] = secrets_in(answer.content)
    tables = client.get("/api/v1/tables").json()["tables"]
    assert {"gold.client_activity", "gold.domains"} <= {t["name"] for t in tables}
    for table in tables:
        for file_format in FORMATS:
            path = f"/api/v1/tables/{table['name']}.{file_format}"
            answer = client.get(path)
            assert answer.status_code == 200, path
            found[path] = secrets_in(answer.content)
    for path in ("/dashboards/people/cards/0.csv", "/dashboards/people/cards/2.csv"):
        found[path] = secrets_in(client.get(path).content)
    found["/metrics"] = secrets_in(client.get("/metrics").content)
    return found


def told(found: dict[str, set[str]]) -> dict[str, set[str]]:
    return {path: secrets for path, secrets in found.items() if secrets}


@pytest.mark.long
def test_a_viewer_finds_no_secret_on_any_page(people: Served) -> None:
    with viewing(people) as viewer:
        found = crawl(viewer, each_kind=1)
        assert not told(found)
        assert len(found) > 30, "there was something to look at"
        kinds = {path.split("?")[0].split("/")[1] for path in found}
        assert {"files", "rejects", "runs", "quality", "catalog", "trace"} <= kinds
        masked = viewer.get("/catalog/gold.client_activity").text
        assert "•••" in masked
        assert DOMAIN in viewer.get("/catalog/gold.domains").text, "it says: pii: false"


def test_a_viewer_finds_no_secret_in_any_answer_or_download(people: Served) -> None:
    with viewing(people) as viewer:
        found = ask_everything(viewer)
        assert not told(found)
        assert len(found) > 40, "there was something to ask"
        figures = viewer.get("/api/v1/dashboard", params={"name": "people"}).json()
        name, addresses, _ = figures["cards"]
        assert name["rows"] == [["•••"]]
        assert addresses["rows"] == [[1]], "a count is about nobody"
    with people.client(signed_in=False) as program:
        program.headers["Authorization"] = f"Bearer {TOKEN}"
        answer = program.get("/api/v1/tables/gold.client_activity.csv")
        assert "•••" in answer.text
        assert not secrets_in(answer.content)


@pytest.mark.long
def test_a_viewer_finds_no_secret_when_a_run_has_failed(broken: Served) -> None:
    """On hundreds of pages, of which some tell why it failed, and in every answer."""
    with viewing(broken) as viewer:
        assert not told(ask_everything(viewer))
        found = crawl(viewer, each_kind=PAGES_MAX)
        assert not told(found)
        assert len(found) > 200


@pytest.mark.long
def test_an_operator_finds_every_secret(broken: Served) -> None:
    with broken.client() as owner:
        pages = set().union(*crawl(owner, each_kind=1).values())
        answers = set().union(*ask_everything(owner).values())
    assert pages | answers == set(SECRETS)
    assert {"email", "name", "email of a refused row"} <= pages & answers


def test_no_row_is_found_by_what_is_masked(people: Served) -> None:
    """Whoever may not see an address may not ask whose it is."""
    path = f"/trace?table=gold.client_activity&email={SECRETS['email']}"
    other = "/trace?table=gold.client_activity&email=nobody"
    with viewing(people) as viewer:
        answers = [viewer.get(each).text for each in (path, other)]
        assert all("his column is masked for viewers" in each for each in answers)
    with people.client() as owner:
        assert "his column is masked" not in owner.get(path).text


def test_the_command_line_sees_it_all(people: Served) -> None:
    done = subprocess.run(
        [SNOWMELT, "sql", "select email from gold.client_activity limit 1"],
        cwd=people.root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert SECRETS["email"] in done.stdout


@pytest.mark.parametrize("verb", sorted(READS))
def test_of_every_verb_it_is_decided_what_viewers_see(verb: str) -> None:
    """Add it to HARMLESS, if it tells no value of a row, or to MASKED with its mask."""
    assert (verb in HARMLESS) != (verb in MASKED)
