"""What every page needs: who answers, the templates, who is looking."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from snowmelt.clock import Clock
from snowmelt.errors import SnowmeltError
from snowmelt.events import Event
from snowmelt.serve.actions import ActionLog, Actor, recorded
from snowmelt.serve.assets import Assets
from snowmelt.serve.commands import Commands, Document
from snowmelt.serve.guard import WHO, Door, identity_of
from snowmelt.serve.live import EVERYTHING, Broadcast
from snowmelt.serve.pages.shared import SharedAnswers
from snowmelt.serve.pages.wording import FILTERS, GLOBALS
from snowmelt.serve.shares import Shares
from snowmelt.serve.users import Users

TEMPLATES = Path(__file__).parent.with_name("templates")
KEPT_MAX = 64
FRESH_SECONDS = 1.0


class Asked:
    """Answers that several viewers share: fifty screens ask one question once.

    An answer is kept for a second at most, and never past the next event.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._locks: OrderedDict[object, threading.Lock] = OrderedDict()
        self._kept: dict[object, tuple[int, float, Document]] = {}
        self._version = 0

    def __call__(self, event: Event) -> None:
        """Something happened: what was answered before it is old."""
        del event
        self._version += 1

    def forget(self) -> None:
        """Forget every answer."""
        self._version += 1

    def ask(self, call: Callable[..., Document], **arguments: Any) -> Document:
        """Return an answer, this one's own or one that was just given."""
        key = (call.__name__, *sorted(arguments.items()))
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
            while len(self._locks) > KEPT_MAX:
                old, _ = self._locks.popitem(last=False)
                self._kept.pop(old, None)
        with lock:
            version, now = self._version, self._clock.monotonic()
            kept = self._kept.get(key)
            if kept and kept[0] == version and now - kept[1] < FRESH_SECONDS:
                return kept[2]
            answer = call(**arguments)
            self._kept[key] = (version, now, answer)
            return answer


@dataclass
class Site:
    """The pages of one service."""

    commands: Commands
    for_viewers: Commands
    """The same, with what is about persons masked."""
    action_log: ActionLog
    door: Door
    users: Users
    clock: Clock
    broadcast: Broadcast
    shares: Shares
    target: str | None = None
    """The target that is observed; None: this machine's service."""
    assets: Assets = field(default_factory=Assets)

    def __post_init__(self) -> None:
        self.asked = Asked(self.clock)
        self.shared = SharedAnswers(self.clock, self.broadcast)
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(FILTERS)
        self._environment.globals.update(GLOBALS, asset=self.assets.url)

    async def ask(self, verb: str, **arguments: Any) -> Document:
        """Ask one question, as a command would; who may not see it all sees masks."""
        who = WHO.get()
        is_plain = who is not None and who.sees_plain
        call = getattr(self.commands if is_plain else self.for_viewers, verb)
        return await run_in_threadpool(partial(self.asked.ask, call, **arguments))

    def acting(self, request: Request, door: str) -> Commands:
        """Return the commands, which put on record what this person does."""
        actor = Actor(identity_of(request).name, door)
        return recorded(self.commands, actor, self.action_log, self.clock)

    def refresh(self) -> None:
        """Forget every answer, and have pages that are open ask anew."""
        self.asked.forget()
        self.broadcast.tell(EVERYTHING, at_once=True)

    def render(self, template: str, /, **values: Any) -> str:
        """Return a template filled in."""
        return self._environment.get_template(template).render(values)

    async def page(self, request: Request, template: str, /, **values: Any) -> Response:
        """Answer with a page. `section`: which entry of the menu it is below."""
        values = {
            "identity": identity_of(request),
            "is_shared": request.scope.get("shared", False),
            "since": request.scope.get("since", ""),
            "query": "",
            **values,
        }
        html = await run_in_threadpool(partial(self.render, template, **values))
        return HTMLResponse(html)

    def error(self, status: int, error: SnowmeltError) -> Response:
        """Answer with a page that says what is wrong and what helps."""
        html = self.render(
            "error.html",
            heading="Not found" if status == 404 else "That did not work",
            where=error.where,
            problem=_sentence(error.problem),
            remedy=error.remedy,
        )
        return HTMLResponse(html, status)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
