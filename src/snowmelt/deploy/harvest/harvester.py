"""Reads an account's history into the file of a target: what is new, and no more.

One function after the other is asked for each object, a stretch at a time; what is
read is written in one transaction with how far it was read. A function that is refused
stops none of the others: what is missing, and the grant that mends it, is kept beside
what was read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from snowmelt.clock import Clock
from snowmelt.deploy.harvest import questions
from snowmelt.deploy.harvest.harvested import Harvested, Problem
from snowmelt.deploy.harvest.ledger import (
    note_gap,
    read_mark,
    set_mark,
)
from snowmelt.deploy.harvest.reading import moment
from snowmelt.deploy.harvest.remedies import remedy_of
from snowmelt.deploy.harvest.scope import Scope
from snowmelt.deploy.harvest.tables import put
from snowmelt.deploy.harvest.window import Mark, Source, Window, next_ask
from snowmelt.deploy.snowflake.session import AccountError, Row
from snowmelt.deploy.snowflake.session import Session as Account
from snowmelt.warehouse.port import Session, Warehouse

SKEW_MAX = timedelta(minutes=1)
"""How far clocks may be apart: sign-in by key pair fails beyond it."""
STANDING = (
    *("SYSTEM$PIPE_STATUS", "SHOW STREAMS", "SYSTEM$STREAM_HAS_DATA", "SHOW TASKS"),
)
"""What is asked each time."""
Keep = Callable[[Session, list[Row]], Collection[datetime]]
"""Writes rows; returns when what had not ended yet began."""


@dataclass
class Harvester:
    """One reading of an account. `now` is the account's clock, not this machine's."""

    account: Account
    warehouse: Warehouse
    scope: Scope
    clock: Clock
    now: datetime = field(init=False)
    harvested: Harvested = field(init=False)

    def begin(self) -> None:
        """Ask what time it is there. Raises what the account answers."""
        [row] = self.account.rows(questions.NOW)
        told = moment(row["now"])
        assert told is not None, "an account knows what time it is"
        self.now = told
        self.harvested = Harvested(told, told - self.clock.now())

    def end(self, *, is_thorough: bool = True) -> None:
        """Write down when it was read, and what could not be.

        What was not asked this time is not known to be better than it was.
        """
        self.harvested.is_thorough = is_thorough
        with self.warehouse.session() as session, session.transaction():
            put(session, "harvested_at", self.clock.now().isoformat())
            put(session, "skew_seconds", str(self.harvested.skew.total_seconds()))
            session.execute(
                "delete from account.problems where $1 or source in "
                "(select unnest($2::json::varchar[]))",
                [is_thorough, list(STANDING)],
            )
            for each in self.harvested.problems:
                session.insert(
                    "account.problems",
                    {
                        "source": [each.source],
                        "object": [each.object],
                        "statement": [each.statement],
                        "problem": [each.problem],
                        "remedy": [each.remedy],
                        "noted_at": [self.now],
                    },
                )

    def read(
        self,
        source: Source,
        of: str,
        question: Callable[[Window], str],
        keep: Keep,
    ) -> bool:
        """Read what is new of one object; say if it was told."""
        with self.warehouse.session() as session:
            mark = read_mark(session, source, of)
        ask = next_ask(source, mark, self.now)
        if ask.lost is not None:
            reason = "it was not read before the account forgot it"
            with self.transaction() as session:
                note_gap(session, (source, of), ask.lost, reason, self.now)
        unfinished: list[datetime] = []
        with self.asking(source.name, of) as asked:
            for window, rows in self._stretches(source, of, question, ask.window):
                self.harvested.rows += len(rows)
                with self.transaction() as session:
                    unfinished += keep(session, rows)
                    again_from = min(unfinished, default=None)
                    set_mark(
                        session, source, of, Mark(window.end, again_from), self.now
                    )
        return asked.answered

    def _stretches(
        self,
        source: Source,
        of: str,
        question: Callable[[Window], str],
        window: Window,
    ) -> Iterator[tuple[Window, list[Row]]]:
        """Yield a window's rows, in halves where there are more than are told.

        The earlier half comes first, so that the mark never passes what is unread.
        """
        rows = list(self.account.rows(question(window)))
        halves = window.halves if len(rows) >= source.limit else None
        if halves is not None:
            for half in halves:
                yield from self._stretches(source, of, question, half)
            return
        if len(rows) >= source.limit:
            reason = f"more than {source.limit:,} rows in one second"
            with self.transaction() as session:
                note_gap(session, (source, of), window, reason, self.now)
        yield window, rows

    def ask(self, what: str, of: str, statement: str) -> list[Row] | None:
        """Return what is told now; None where it is refused, which is noted."""
        with self.asking(what, of):
            return list(self.account.rows(statement))
        return None

    def ask_json(self, what: str, of: str, statement: str) -> str | None:
        """Return the one document that a function tells, as a text."""
        rows = self.ask(what, of, statement)
        if not rows:
            return None
        (told,) = rows[0].values()
        return told if isinstance(told, str) else json.dumps(told)

    @contextmanager
    def asking(self, what: str, of: str) -> Iterator[Asked]:
        """Note a refusal inside the block, and go on after it."""
        asked = Asked()
        try:
            yield asked
        except AccountError as error:
            asked.answered = False
            told = Problem(
                what,
                of,
                error.statement,
                f"{error.number:06d}: {error.message}"
                if error.number
                else error.message,
                remedy_of(what, of, error, self.scope),
            )
            self.harvested.problems.append(told)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        with self.warehouse.session() as session, session.transaction():
            yield session


@dataclass
class Asked:
    """Was a question answered?"""

    answered: bool = True
