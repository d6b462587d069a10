"""A page that is looked at in a real browser, and what may not go wrong meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from seen_project import Served

WAIT_MS = 30_000


class Looked:
    """What a page did while it was looked at."""

    def __init__(self, page: Page, origin: str) -> None:
        self.problems: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", lambda request: self._request(request.url, origin))
        page.on("dialog", lambda dialog: dialog.accept())

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(message.text)

    def _request(self, url: str, origin: str) -> None:
        if not url.startswith((origin, f"blob:{origin}", "data:")):
            self.problems.append(f"a request left the origin: {url}")


def _bytes(headers: dict[str, str]) -> int:
    return int(headers.get("content-length", "0"))


@contextmanager
def looking(
    browser: Browser,
    served: Served,
    scheme: str = "light",
    width: int = 1440,
    loaded: list[int] | None = None,
) -> Iterator[Page]:
    """Yield a page that is logged in; nothing may go wrong on it meanwhile.

    `loaded` is told the bytes of everything that the page loads.
    """
    color: Any = scheme
    with browser.new_context(
        base_url=served.url,
        color_scheme=color,
        viewport={"width": width, "height": 900},
        timezone_id="America/Sao_Paulo",
    ) as context:
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        looked = Looked(page, served.url)
        sizes = loaded if loaded is not None else []
        page.on("response", lambda answer: sizes.append(_bytes(answer.headers)))
        page.goto(served.link())
        page.wait_for_url(f"{served.url}/")
        page.wait_for_selector("html[data-ready]")
        yield page
        assert not looked.problems, looked.problems


def require_accessible(page: Page) -> None:
    found = Axe().run(page)
    told = [
        f"{each['id']}: {node['html'][:120]}"
        for each in found.response["violations"]
        for node in each["nodes"][:3]
    ]
    assert not told, told
