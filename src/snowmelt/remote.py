"""A service somewhere else, asked over HTTP with a token: for orchestrators.

Nothing of the engine is imported here: it works where only `httpx` is installed.
Questions are values, so that they are asked by threads and by event loops alike.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

import httpx

Document = dict[str, Any]
PATIENCE_SECONDS = 120.0
"""So long a service may be away, as when it is started again."""
WAITS = (0.5, 1.0, 2.0, 4.0, 8.0)
TIMEOUT_SECONDS = 60.0
_AWAY = (429, 502, 503, 504)
PROBLEM_LENGTH_SHOWN = 300


class ServiceError(Exception):
    """A service refused. `where`: which word of the question it is about."""

    def __init__(self, status: int, where: str, problem: str, remedy: str = "") -> None:
        self.status, self.where = status, where
        self.problem, self.remedy = problem, remedy
        told = f"{where}: {problem}" if where else problem
        super().__init__(f"{told}. {remedy}" if remedy else told)


class AwayError(ServiceError):
    """A service did not answer for as long as one may wait for it."""


@dataclass(frozen=True)
class Question:
    """One request, as a value."""

    method: str
    path: str
    params: dict[str, Any] = field(default_factory=dict)
    body: Document | None = None


def ask_errand(wish: Document) -> Question:
    """Ask for an errand. With a `key` it may be said again, and is one all the same."""
    said = {name: value for name, value in wish.items() if value is not None}
    return Question("POST", "/api/v1/errands", body=said)


def find_errand(errand: int) -> Question:
    """Ask how an errand stands."""
    return Question("GET", f"/api/v1/errands/{errand}")


def cancel_errand(errand: int, reason: str) -> Question:
    """Ask that an errand ends."""
    return Question("POST", f"/api/v1/errands/{errand}/cancel", body={"reason": reason})


def what_happened(
    after: str | None, kinds: list[str] | None = None, pipe: str | None = None
) -> Question:
    """Ask what was loaded and published after a position."""
    given = {"after": after, "kinds": ",".join(kinds or []) or None, "pipe": pipe}
    return Question("GET", "/api/v1/happenings", _said(given))


def what_arrived(pipe: str, name: str | None, since: str | None) -> Question:
    """Ask what became of a pipe's files."""
    given = {"pipe": pipe, "name": name, "since": since}
    return Question("GET", "/api/v1/arrived", _said(given))


def _said(given: Document) -> Document:
    return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True)
class Remote:
    """Where a service is, and the token that it knows.

    `verify`: is the certificate of an https address looked at, or the path of those
    that are trusted. `patience`: seconds that it may be away.
    """

    url: str
    token: str = field(repr=False)
    verify: bool | str = True
    patience: float = PATIENCE_SECONDS

    @property
    def _options(self) -> Document:
        return {
            "base_url": self.url,
            "headers": {"Authorization": f"Bearer {self.token}"},
            "verify": _trusted(self.verify),
            "timeout": TIMEOUT_SECONDS,
        }

    def ask(self, question: Question) -> Document:
        """Ask, and wait for a service that is away. Raises ServiceError, AwayError."""
        with httpx.Client(**self._options) as client:
            for seconds in self._waits():
                try:
                    return _read(self.url, _send(client, question))
                except AwayError as error:
                    if not seconds:
                        raise
                    last = error
                threading.Event().wait(seconds)
        raise last

    async def ask_async(self, question: Question) -> Document:
        """Do as `ask`, on an event loop."""
        async with httpx.AsyncClient(**self._options) as client:
            for seconds in self._waits():
                try:
                    return _read(self.url, await _send_async(client, question))
                except AwayError as error:
                    if not seconds:
                        raise
                    last = error
                await asyncio.sleep(seconds)
        raise last

    def _waits(self) -> Iterator[float]:
        """Yield how long to wait after each try; 0 after the last."""
        left, number = self.patience, 0
        while left > 0:
            seconds = min(WAITS[min(number, len(WAITS) - 1)], left)
            yield seconds
            left, number = left - seconds, number + 1
        yield 0.0


def _trusted(verify: bool | str) -> ssl.SSLContext:
    """Return what a certificate is looked at with; renewed ones are read again.

    Raises ServiceError for a path at which no certificates lie.
    """
    try:
        version = Path(verify).stat().st_mtime_ns if isinstance(verify, str) else 0
        return _made_once(verify, version)
    except OSError as error:
        told = f"{verify} cannot be read as certificates ({error.strerror or error})"
        remedy = "Name a file or a folder of those that are trusted."
        raise ServiceError(0, "verify", told, remedy) from None


@lru_cache(maxsize=32)
def _made_once(verify: bool | str, version: int) -> ssl.SSLContext:
    """Return a context: to make one takes 20 ms, in which an event loop stands still.

    `version`: what the path of the certificates held then.
    """
    del version
    if not isinstance(verify, str):
        return httpx.create_ssl_context(verify)
    if Path(verify).is_dir():
        return ssl.create_default_context(capath=verify)
    return ssl.create_default_context(cafile=verify)


def _send(client: httpx.Client, question: Question) -> httpx.Response:
    try:
        return client.request(
            question.method, question.path, params=question.params, json=question.body
        )
    except httpx.TransportError as error:
        _is_away(str(client.base_url), error)


async def _send_async(client: httpx.AsyncClient, question: Question) -> httpx.Response:
    try:
        return await client.request(
            question.method, question.path, params=question.params, json=question.body
        )
    except httpx.TransportError as error:
        _is_away(str(client.base_url), error)


def _is_away(url: str, error: Exception) -> NoReturn:
    told = f"the service does not answer ({error})"
    raise AwayError(0, url, told, "Start it: snowmelt up") from None


def _read(url: str, answer: httpx.Response) -> Document:
    """Return the document of an answer. Raises what it says is wrong."""
    try:
        document = answer.json()
    except ValueError:
        document = None
    if answer.is_success and isinstance(document, dict):
        return document
    kind = AwayError if answer.status_code in _AWAY else ServiceError
    told = document.get("error") if isinstance(document, dict) else None
    if not isinstance(told, dict):
        seen = answer.text[:PROBLEM_LENGTH_SHOWN]
        raise kind(answer.status_code, url, f"{answer.status_code}: {seen}")
    raise kind(
        answer.status_code,
        str(told.get("where") or ""),
        str(told.get("problem")),
        str(told.get("remedy") or ""),
    )
