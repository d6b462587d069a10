"""Many live pages of one service: they share answers, and all see how it ended."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlencode

import httpx
from looking import looking
from playwright.sync_api import Browser, Page, expect
from seen_project import TOKEN, Served, until

from snowmelt.serve.client import ServiceClient
from snowmelt.serve.pacing import REST_SECONDS

PAGES = ("/", "/files", "/rejects", "/runs", "/pipes", "/dashboards/sales")
OF_EACH = 4
FILES = 60
HEAD = "order_id,region,amount,ordered_on\n"
CSRF = re.compile(r'name="csrf" value="([^"]*)"')
MAIN = re.compile(r'<main id="page" tabindex="-1">(.*)</main>', re.DOTALL)


@dataclass
class Viewer:
    """One browser's tab, without the browser."""

    client: httpx.Client
    path: str
    role: str
    shown: str = ""
    since: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def watch(self, stop: threading.Event) -> None:
        """Look until told to stop."""
        try:
            self._watch(stop)
        except Exception as error:
            self.problems.append(repr(error))
            raise

    def _watch(self, stop: threading.Event) -> None:
        page = self.client.get(self.path).text
        live = " ".join(re.findall(r'data-live="([^"]*)"', page))
        topics = set(live.split())
        (since,) = re.findall(r'data-since="([^"]+)"', page)
        given = {"page": self.path, "topics": " ".join(sorted(topics)), "since": since}
        with self.client.stream("GET", f"/events?{urlencode(given)}") as lines:
            for line in lines.iter_lines():
                if stop.is_set():
                    return
                if line.startswith("data:") and "topics" in line:
                    assert set(json.loads(line[5:])["topics"]) <= topics
                    self._ask()

    def _ask(self) -> None:
        answer = self.client.get(self.path, headers={"X-Live": "1"})
        assert answer.status_code == 200
        self.shown = answer.text
        self.since.append(answer.headers["X-Since"])
        if any(CSRF.findall(self.shown)):
            self.problems.append("a token in what is shared")
        if self.role == "viewer" and "/actions/" in self.shown:
            self.problems.append("a viewer was given what operators do")


@contextmanager
def watching(served: Served) -> Iterator[list[Viewer]]:
    """Have so many people of both roles look at each page while the block lasts."""
    stop = threading.Event()
    with served.client() as operator, served.client(signed_in=False) as stranger:
        stranger.headers["Authorization"] = f"Bearer {TOKEN}"
        limits = httpx.Limits(max_connections=500)
        clients = {
            role: httpx.Client(
                base_url=served.url,
                cookies=known.cookies,
                headers=known.headers,
                limits=limits,
                timeout=60,
            )
            for role, known in (("operator", operator), ("viewer", stranger))
        }
        viewers = [
            Viewer(client, path, role)
            for role, client in clients.items()
            for path in PAGES
            for _ in range(OF_EACH)
        ]
        threads = [threading.Thread(target=each.watch, args=[stop]) for each in viewers]
        for thread in threads:
            thread.start()
        try:
            yield viewers
        finally:
            stop.set()
            with served.socket() as service:
                service.pause("visits", None)
                service.resume("visits")  # all are told, and see that they are to stop
            for thread in threads:
                thread.join(30)
            for client in clients.values():
                client.close()


def _loaded(service: ServiceClient) -> int:
    return len(service.history("orders", None, 1000)["loads"])


def hide(page: Page, hidden: bool) -> None:
    """Let a page believe that its tab is, or is no more, behind another one."""
    page.evaluate(
        """value => {
            Object.defineProperty(document, "hidden", { value, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def shows_how_it_is(viewer: Viewer) -> bool:
    """Is what a page shows by now what it has for who opens it now?"""
    (found,) = MAIN.findall(viewer.client.get(viewer.path).text)
    return CSRF.sub('name="csrf" value=""', found).strip() in viewer.shown


def test_many_viewers_share_few_answers_and_all_see_how_it_ended(
    served: Served,
) -> None:
    with watching(served) as viewers, served.socket() as service:
        began = time.monotonic()
        before = _loaded(service)
        for number in range(FILES):
            refused = "x,r1,0.00,2026-02-01\n" if number % 7 == 0 else ""
            lines = f"{9000 + number},r1,0.00,2026-02-01\n{refused}"
            served.land(f"orders_many_{number}.csv", HEAD + lines)
        until(lambda: _loaded(service) == before + FILES, "not all was loaded")
        for viewer in viewers:
            what = f"{viewer.path} of the {viewer.role} is not how it ended"
            until(partial(shows_how_it_is, viewer), what)
        seconds = time.monotonic() - began
    assert not [each.problems for each in viewers if each.problems]
    made: dict[tuple[str, str], set[str]] = defaultdict(set)
    asked: dict[tuple[str, str], int] = defaultdict(int)
    for viewer in viewers:
        made[viewer.role, viewer.path] |= set(viewer.since)
        asked[viewer.role, viewer.path] += len(viewer.since)
    assert len(made) == 2 * len(PAGES)
    for group, answers in made.items():
        assert len(answers) <= seconds / REST_SECONDS + 3, group
        assert asked[group] >= OF_EACH
    assert sum(map(len, made.values())) <= sum(asked.values()) / (OF_EACH - 1)


def test_a_tab_that_nobody_sees_asks_nothing_and_then_shows_what_it_missed(
    browser: Browser, served: Served
) -> None:
    with looking(browser, served) as page, served.socket() as service:
        page.goto("/pipes")
        page.wait_for_selector("html[data-connection=live]")
        row = page.get_by_role("row", name=re.compile("^visits"))
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        hide(page, True)
        service.pause("visits", "while nobody looks")
        page.wait_for_timeout(1500)
        assert not asked
        expect(row).to_contain_text("running")
        hide(page, False)
        expect(row).to_contain_text("while nobody looks")
        assert sum("/events?" in each for each in asked) == 1
        tokens = {each.input_value() for each in page.locator("[name=csrf]").all()}
        assert len(tokens) == 1, "a form that came later has the page's token, too"
        row.get_by_role("button", name="Resume").click()
        expect(row).to_contain_text("running")


def test_a_page_of_which_only_the_counts_are_live_is_not_made_again(
    browser: Browser, served: Served
) -> None:
    with looking(browser, served) as page, served.socket() as service:
        page.goto("/sql?q=select+42+as+answer")
        page.wait_for_selector("html[data-connection=live]")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        with page.expect_response(re.compile("/counts")):
            service.pause("visits", None)
        service.resume("visits")
        page.wait_for_timeout(1500)
        assert {each.partition("?")[0] for each in asked} == {f"{served.url}/counts"}
