"""The record of errands: what was asked, by whom, and what came of it.

Each step is a commit of its own, so that a service that is started again knows what
it was asked, and a program that asks twice is told of the errand it has already.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from snowmelt.serve.commands import Document
from snowmelt.serve.errand_state import ErrandState
from snowmelt.warehouse.plain import plain
from snowmelt.warehouse.port import Session, Warehouse

_COLUMNS = (
    *("errand", "key", "what", "asked", "cause", "who", "state", "tries", "asked_at"),
    *("began_at", "ended_at", "run_id", "graph_run_group_id", "answer", "problem"),
)
_SELECT = f"select {', '.join(_COLUMNS)} from snowmelt.errands "  # noqa: S608


@dataclass(frozen=True)
class Wish:
    """What a program asks for. `asked`: pipe, prefix, select, task, config."""

    what: str
    asked: dict[str, Any] = field(default_factory=dict)
    key: str | None = None
    cause: str | None = None


@dataclass(frozen=True)
class Errand:
    """One thing that was asked for, as it is on record."""

    errand: int
    wish: Wish
    who: str
    state: ErrandState
    tries: int
    asked_at: datetime
    began_at: datetime | None = None
    ended_at: datetime | None = None
    run_id: str | None = None
    graph_run_group_id: str | None = None
    answer: Document | None = None
    problem: str | None = None

    @classmethod
    def of(cls, row: Sequence[Any]) -> Errand:
        """Return an errand from a row of the table."""
        named = dict(zip(_COLUMNS, row, strict=True))
        wish = Wish(
            named.pop("what"),
            json.loads(named.pop("asked")),
            named.pop("key"),
            named.pop("cause"),
        )
        state, answer = ErrandState(named.pop("state")), named.pop("answer")
        answer = json.loads(answer) if answer else None
        return cls(wish=wish, state=state, answer=answer, **named)

    def as_document(self) -> Document:
        """Return it as programs read it."""
        return {
            "errand": self.errand,
            "key": self.wish.key,
            "what": self.wish.what,
            "asked": self.wish.asked,
            "cause": self.wish.cause,
            "who": self.who,
            "state": self.state.value,
            "has_ended": self.state.has_ended,
            "tries": self.tries,
            "asked_at": plain(self.asked_at),
            "began_at": plain(self.began_at),
            "ended_at": plain(self.ended_at),
            "run_id": self.run_id,
            "graph_run_group_id": self.graph_run_group_id,
            "answer": self.answer,
            "problem": self.problem,
        }


class Ledger:
    """Reads and writes `snowmelt.errands`. Whoever writes holds the desk's lock."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def find(self, errand: int) -> Errand | None:
        """Return one by its number."""
        return self._first("where errand = $1", [errand])

    def with_key(self, key: str) -> Errand | None:
        """Return the one that was asked for with a key."""
        return self._first("where key = $1", [key])

    def unfinished(self) -> list[Errand]:
        """Return those that are to be done, in the order they were asked."""
        return self._all("where ended_at is null order by errand", [])

    def listed(
        self, states: Sequence[str], what: str | None, before: int | None, limit: int
    ) -> list[Errand]:
        """Return errands in some states, or all, newest first."""
        return self._all(
            "where (json_array_length($1) = 0 "
            "or state in (select unnest($1::json::varchar[]))) "
            "and ($2 is null or what = $2) "
            "and ($3 is null or errand < $3) order by errand desc limit $4",
            [list(states), what, before, limit],
        )

    def add(self, wish: Wish, who: str, now: datetime) -> Errand:
        """Put a wish on record."""
        with self._warehouse.session() as session, session.transaction():
            last = session.value("select max(errand) from snowmelt.errands") or 0
            session.insert(
                "snowmelt.errands",
                {
                    "errand": [last + 1],
                    "key": [wish.key],
                    "what": [wish.what],
                    "asked": [json.dumps(wish.asked)],
                    "cause": [wish.cause],
                    "who": [who],
                    "state": [ErrandState.QUEUED.value],
                    "tries": [0],
                    "asked_at": [now],
                },
            )
        return Errand(last + 1, wish, who, ErrandState.QUEUED, 0, now)

    def begin(self, errand: int, now: datetime) -> None:
        """Put on record that it is being done, once more."""
        self._set(
            errand,
            "state = 'EXECUTING', tries = tries + 1, began_at = coalesce(began_at, $2)",
            now,
        )

    def note_graph_run(self, errand: int, group_id: str) -> None:
        """Put on record which graph run it is."""
        self._set(errand, "graph_run_group_id = $2", group_id)

    def end(self, errand: int, ended: Errand) -> None:
        """Put on record how it ended."""
        self._set(
            errand,
            "state = $2, ended_at = $3, run_id = $4, answer = $5, problem = $6",
            ended.state.value,
            ended.ended_at,
            ended.run_id,
            json.dumps(ended.answer) if ended.answer is not None else None,
            ended.problem,
        )

    def forget(self, before: datetime) -> None:
        """Forget what ended long ago; the newest stays, so that numbers go on."""
        with self._warehouse.session() as session:
            session.execute(
                "delete from snowmelt.errands where ended_at < $1 "
                "and errand < (select max(errand) from snowmelt.errands)",
                [before],
            )

    def _set(self, errand: int, what: str, *values: object) -> None:
        with self._warehouse.session() as session:
            session.execute(
                f"update snowmelt.errands set {what} where errand = $1",  # noqa: S608
                [errand, *values],
            )

    def _first(self, where: str, parameters: list[object]) -> Errand | None:
        found = self._all(where, parameters)
        return found[0] if found else None

    def _all(self, where: str, parameters: list[object]) -> list[Errand]:
        with self._warehouse.snapshot() as session:
            return _read(session, where, parameters)


def _read(session: Session, where: str, parameters: list[object]) -> list[Errand]:
    return [Errand.of(row) for row in session.rows(_SELECT + where, parameters)]
