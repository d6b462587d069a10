"""The desk: takes errands, has them done, and knows how each stands.

What was asked is on record before the answer says so; a service that is started again
goes on with what it had. An errand that the service died of three times fails.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Any

from snowmelt.errors import UnreachableError, UsageError
from snowmelt.serve.actions import Action, Actor
from snowmelt.serve.commands import Document
from snowmelt.serve.errand_state import ErrandState
from snowmelt.service.action_log import WarehouseActionLog
from snowmelt.service.documents import SCHEMA_VERSION
from snowmelt.service.errands.arrived import arrived_document
from snowmelt.service.errands.happenings import happenings_document
from snowmelt.service.errands.ledger import Errand, Ledger, Wish
from snowmelt.service.errands.work import Live, Outcome, Work
from snowmelt.service.loop import Loop
from snowmelt.service.questions import find_pipe, read_instant

log = logging.getLogger("snowmelt")
LANES = 4
"""So many errands are done at once; each waits more than it works."""
WAITING_MAX = 200
TRIES_MAX = 3
TIDIED_EVERY = 100
"""After so many errands those that ended long ago are forgotten."""


class Desk:
    """Errands of one service. Implements `serve.errands.Errands`."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._parts = loop.parts
        self._ledger = Ledger(loop.parts.warehouse)
        self._work = Work(loop, self._ledger.note_graph_run)
        self._actions = WarehouseActionLog(loop.parts.warehouse)
        self._lock = threading.RLock()
        self._live: dict[int, Live] = {}
        self._pool = ThreadPoolExecutor(LANES, "errand")
        self._is_closed = False

    def start(self) -> None:
        """Go on with what a process before this one left undone."""
        with self._lock:
            self._tidy()
            for errand in self._ledger.unfinished():
                if errand.tries >= TRIES_MAX:
                    told = f"the service ended {errand.tries} times while it was at it"
                    self._end(errand.errand, Outcome(ErrandState.FAILED, problem=told))
                    continue
                self._take(errand)

    def stop(self) -> None:
        """Leave what is under way for the next start; the loop says that it stops."""
        with self._lock:
            self._is_closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    # What programs ask.

    def ask(self, wish: dict[str, Any], who: str) -> Document:
        """Take an errand, or say which one has its key already."""
        wanted = Wish(**wish)
        with self._lock:
            known = self._ledger.with_key(wanted.key) if wanted.key else None
            if known is not None:
                _require_same(known, wanted)
                return _answer(known, created=False)
            self._require_possible(wanted)
            errand = self._ledger.add(wanted, who, self._parts.clock.now())
            self._take(errand)
            if errand.errand % TIDIED_EVERY == 0:
                self._tidy()
        self._put_on_record(who, "ask_errand", {"what": wanted.what, **wanted.asked})
        return _answer(errand, created=True)

    def find(self, errand: int) -> Document | None:
        """Return how an errand stands."""
        found = self._ledger.find(errand)
        return _answer(found) if found else None

    def listed(
        self, states: list[str], what: str | None, before: int | None, limit: int
    ) -> Document:
        """Return errands, newest first; `next`: where the next page begins."""
        found = self._ledger.listed(states, what, before, limit + 1)
        shown = found[:limit]
        return {
            "schema_version": SCHEMA_VERSION,
            "errands": [each.as_document() for each in shown],
            "next": shown[-1].errand if len(found) > limit else None,
        }

    def cancel(self, errand: int, reason: str | None, who: str) -> Document | None:
        """Have an errand end that has not; one that has ended stays what it is."""
        told = f"{who} cancelled it" + (f": {reason}" if reason else "")
        with self._lock:
            found = self._ledger.find(errand)
            live = self._live.get(errand)
            if found is None:
                return None
            if found.state is ErrandState.QUEUED and live is not None:
                del self._live[errand]
                outcome = Outcome(ErrandState.CANCELLED, problem=told)
                self._end(errand, outcome)
                live = None
        if live is not None:
            live.cancel(told)
        self._put_on_record(who, "cancel_errand", {"errand": errand, "reason": reason})
        return self.find(errand)

    def happenings(
        self, after: str | None, kinds: list[str], pipe: str | None, limit: int
    ) -> Document:
        """Return what was loaded and published after a position, oldest first."""
        if pipe:
            find_pipe(self._parts.project, pipe, "pipe")
        with self._parts.warehouse.snapshot() as session:
            return happenings_document(session, after, kinds, pipe, limit)

    def arrived(self, pipe: str, name: str | None, since: str | None) -> Document:
        """Return what became of a pipe's files of some names."""
        find_pipe(self._parts.project, pipe, "pipe")
        return arrived_document(self._loop, pipe, name, since)

    def _put_on_record(self, who: str, verb: str, arguments: dict[str, Any]) -> None:
        """Put an action on record, as those of people are."""
        now = self._parts.clock.now()
        action = Action(Actor(who, "api"), verb, arguments, "done", None, now, now)
        self._actions.record(action)

    # Doing them.

    def _require_possible(self, wish: Wish) -> None:
        """Raise UsageError or UnreachableError for what cannot even begin.

        A service that stops takes nothing new: what it put on record and then could not
        answer would be done by the next one, and again for whoever asks anew.
        """
        if self._is_closed or self._loop.stopping:
            raise UnreachableError("the service", "it is stopping", "Ask again later.")
        if len(self._live) >= WAITING_MAX:
            raise UnreachableError(
                "errands", f"{WAITING_MAX} of them wait already", "Ask again later."
            )
        if pipe := wish.asked.get("pipe"):
            find_pipe(self._parts.project, pipe, "pipe")
        read_instant("since", wish.asked.get("since"))
        if wish.what == "tasks" and self._loop.tasks.tasks is None:
            raise UsageError(
                "tasks",
                "snowmelt.yml has none: files are loaded and published as they come",
                "Ask for a run instead.",
            )

    def _tidy(self) -> None:
        keep = self._parts.project.settings.log.keep
        self._ledger.forget(self._parts.clock.now() - keep)

    def _take(self, errand: Errand) -> None:
        self._live[errand.errand] = Live(errand.errand, errand.graph_run_group_id)
        self._pool.submit(self._do, errand)

    def _do(self, errand: Errand) -> None:
        number = errand.errand
        try:
            with self._lock:
                live = self._live.get(number)
                if live is None or self._loop.stopping:
                    return
                self._ledger.begin(number, self._parts.clock.now())
            outcome = self._work.do(live, errand.wish)
        except UnreachableError:
            return  # the service stops: the next one goes on
        except Exception as error:
            if self._loop.stopping:
                return
            log.exception("errand %s could not be done", number)
            told = f"it could not be done: {error}"
            outcome = Outcome(ErrandState.FAILED, problem=told)
        with self._lock:
            self._live.pop(number, None)
            self._end(number, outcome)

    def _end(self, errand: int, outcome: Outcome) -> None:
        found = self._ledger.find(errand)
        assert found is not None, "an errand is on record before it is done"
        now: datetime = self._parts.clock.now()
        ended = replace(
            found,
            state=outcome.state,
            ended_at=now,
            run_id=outcome.run_id,
            answer=outcome.answer,
            problem=outcome.problem,
        )
        self._ledger.end(errand, ended)


def _answer(errand: Errand, **more: object) -> Document:
    document = {"schema_version": SCHEMA_VERSION, "errand": errand.as_document()}
    return document | more


def _require_same(known: Errand, wanted: Wish) -> None:
    """Raise UsageError when a key was given to something else before."""
    if (known.wish.what, known.wish.asked) != (wanted.what, wanted.asked):
        raise UsageError(
            "key",
            f"errand {known.errand} has it already, and asks for something else",
            "Give each thing that is asked for a key of its own.",
        )
