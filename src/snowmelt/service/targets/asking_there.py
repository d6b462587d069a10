"""Asks the queries of a dashboard of a target's account.

A query is planned here, on empty tables that have the columns there: so it is one
SELECT that the engine of this machine understands, of columns that there are, and its
answer has the names and types that it would have here. Then it is written in
Snowflake's words and asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from snowmelt.deploy.harvest.reading import moment
from snowmelt.deploy.portable.linting import findings_in
from snowmelt.deploy.portable.template import sql_of
from snowmelt.deploy.portable.writing import query_there
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.session import Row
from snowmelt.errors import ConfigError, SnowmeltError
from snowmelt.serve.commands import Document
from snowmelt.service.boards.asking import Asking
from snowmelt.service.boards.memory import VOLATILE, Key
from snowmelt.service.boards.rendering import Query
from snowmelt.service.targets.gold_columns import columns_seen, make_empty
from snowmelt.warehouse.port import Table

if TYPE_CHECKING:
    from snowmelt.service.targets.gold import GoldThere

CLOCK_SECONDS = 600
"""For how long an answer is kept that also depends on what time it is."""
_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UBIGINT", "UHUGEINT")


@dataclass
class AskingThere(Asking):
    """Asks an account. Make it inside a snapshot of what is known of it."""

    gold: GoldThere

    def _begin(self) -> None:
        self.published = self._known = self.gold.published_at(self.session)
        self._fresh: dict[Key, Table] = {}
        self._is_asking = False
        self._off: SnowmeltError | None = None
        self._is_of_one = True

    def table(self, query: Query, limit: int) -> Table:
        """Return at most `limit` rows, as they were answered last or are now."""
        found = self._find(query, limit)
        if found is None and not self._is_asking:
            self._begin_asking()
            found = self._find(query, limit)  # somebody else's, just now
        if self._off is not None and found is None:
            raise self._off
        if found is None:
            found = self._fresh[self._key(query, limit)] = self._asked(query, limit)
        return found

    def _find(self, query: Query, limit: int) -> Table | None:
        key = self._key(query, limit)
        return self._fresh.get(key) or self.memory.answers.find(key)

    def _key(self, query: Query, limit: int) -> Key:
        is_of_clock = VOLATILE.search(query.sql) is not None
        of_clock = int(self.clock.monotonic() // CLOCK_SECONDS) if is_of_clock else None
        return query.sql, query.parameters, self.published, limit, of_clock

    def _begin_asking(self) -> None:
        """Wait for whoever asks now; then see which publication it is."""
        self.gold.lock.acquire()
        self._is_asking = True
        try:
            self.published = self.gold.newest(self._known)
        except SnowmeltError as error:
            self._off = error  # every card says so, and none asks

    @contextmanager
    def limited(self) -> Iterator[None]:
        """Ask alone inside the block; each statement is limited by the account.

        At its end answers are kept, if gold was not published anew meanwhile.
        """
        try:
            yield
            if self._is_asking and self._off is None:
                self._end_asking()
        finally:
            if self._is_asking:
                self.gold.lock.release()

    def _end_asking(self) -> None:
        """Keep what was answered, if it is of one publication.

        What was answered before the first question, and what stands beside the answers,
        are of the one that was known then.
        """
        is_same = self.gold.newest(self.published) == self.published
        self._is_of_one = is_same and self.published == self._known
        for key, table in self._fresh.items() if is_same else ():
            self.memory.answers.keep(key, table)

    def is_of_one(self) -> bool:
        return self._is_of_one

    def require_sayable(self, texts: Sequence[str]) -> None:
        for text in texts:
            for each in _findings(text):
                raise ConfigError(
                    "",
                    f"on {self.gold.target}, line {each.line} of its query: "
                    f"{each.found}: {each.why}",
                    f"Each is named by: snowmelt validate --target {self.gold.target}",
                )

    def row_of(self, query: Query, columns: Sequence[str]) -> Document | None:
        """Rows of a target are not traced from here."""
        return None

    def _asked(self, query: Query, limit: int) -> Table:
        columns, types = self._planned(query)
        there = {
            key: sql.path(self.gold.observing.scope.database, *key.split(".", 1))
            for key in self._keys(query)
        }
        statement = query_there(query.sql, query.parameters, there, limit)
        rows = [_row(each, columns, types) for each in self.gold.ask(statement)]
        return Table(columns, types, rows)

    def _keys(self, query: Query) -> list[str]:
        """Return the keys of the tables that a query reads."""
        named = (self.relations[model] for model in query.models)
        return [".".join(_parts(each)[-2:]).lower() for each in named]

    def _planned(self, query: Query) -> tuple[list[str], list[str]]:
        """Return the columns and types of an answer. Raises for what is no query."""
        self.warehouse.require_query(query.sql)
        keys = self._keys(query)
        with self.warehouse.session() as session, session.rolled_back():
            seen = columns_seen(session)
            for key in keys:
                if key not in seen:
                    raise ConfigError(
                        f"dashboards --target {self.gold.target}",
                        f"{key} is not on {self.gold.target}, or its role may not see "
                        "it",
                        "Build it there, or grant the role what is in that schema.",
                    )
            make_empty(session, seen, keys)
            try:
                told = session.rows(f"describe {query.sql}", query.bound)
            except Exception as error:
                raise ConfigError(
                    f"dashboards --target {self.gold.target}",
                    str(error).partition("\n")[0].strip(),
                    f"It is planned on the columns that {self.gold.target} has.",
                ) from error
        return [str(row[0]) for row in told], [str(row[1]) for row in told]


@lru_cache(maxsize=1024)
def _findings(text: str) -> Sequence[Any]:
    return findings_in(sql_of(text), is_rewritten=True)


def _parts(relation: str) -> list[str]:
    """Return the parts of a name that dbt wrote, without their quotes."""
    return [part.strip('"') for part in relation.split(".")]


def _row(row: Row, columns: Sequence[str], types: Sequence[str]) -> tuple[Any, ...]:
    """Return a row as the engine here would have answered it.

    By the places of columns: what has no name is called otherwise there.
    """
    values = list(row.values())
    if len(values) != len(columns):
        told = f"its query returns two columns of one name: {', '.join(columns)}"
        raise ConfigError("", told, "Call each by a name of its own: … as NAME.")
    return tuple(map(as_here, values, types))


def as_here(value: Any, kind: str) -> Any:
    """Return a value of an account as one of a type here."""
    if value is None:
        return None
    if kind in _WHOLE:
        return int(Decimal(str(value)))
    if kind in ("DOUBLE", "FLOAT"):
        return float(value)
    if kind.startswith("DECIMAL"):
        scale = int(kind.rstrip(")").rpartition(",")[2])
        return Decimal(str(value)).quantize(Decimal(1).scaleb(-scale))
    if kind == "BOOLEAN":
        return value if isinstance(value, bool) else str(value).lower() == "true"
    return _moment_here(value, kind) if kind.startswith(("DATE", "TIME")) else value


def _moment_here(value: Any, kind: str) -> Any:
    if kind == "DATE":
        is_day = isinstance(value, date) and not isinstance(value, datetime)
        return value if is_day else datetime.fromisoformat(str(value)).date()
    if not kind.startswith("TIMESTAMP"):
        return value
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    told = moment(value)
    if told is None or "ZONE" in kind or kind == "TIMESTAMPTZ":
        return told
    return told.replace(tzinfo=None)
