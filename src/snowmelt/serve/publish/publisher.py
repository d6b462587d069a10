"""Gold in Postgres: in place, in one transaction, by Postgres's own versions of rows.

Readers are kept out of nothing: they see the rows of the run before until the commit,
and those of this one after it. Only where columns or keys change a table is locked,
for as long as the transaction is. What was published is written there in the same
commit, so that whatever is killed, the next publication knows where it stands.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snowmelt.clock import Clock
from snowmelt.errors import ConfigError, UnreachableError
from snowmelt.serve.publish.address import shown_dsn
from snowmelt.serve.publish.described import GoldTable, Relation
from snowmelt.serve.publish.prepared import Prepared, Written
from snowmelt.serve.publish.shape import (
    Change,
    Constraint,
    Found,
    change_of,
    comments_of,
    key_of,
    loses_key,
    reference_of,
    relation,
    unique_of,
    wanted_columns,
)
from snowmelt.serve.publish.target import Sent, Stamp, State, Target
from snowmelt.warehouse.sql import identifier, literal

if TYPE_CHECKING:
    import psycopg

CHUNK = 1 << 18
LOCK_MS = 500
"""Less than the second after which Postgres looks for deadlocks: we give up first."""
TRIES_MAX = 60
TIDY_ROWS_MIN = 10_000
STATE = identifier("snowmelt_published")
_MAKE_STATE = """
create table if not exists {schema}.{state} (
    table_name text primary key, digest text not null, rows bigint not null,
    comments text not null, run_id text not null, project text not null,
    published_at timestamptz not null
)
"""
_COLUMNS = """
select c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
from pg_attribute as a join pg_class as c on c.oid = a.attrelid
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = %s and c.relkind in ('r', 'p') and a.attnum > 0
    and not a.attisdropped
order by c.relname, a.attnum
"""
_CONSTRAINTS = """
select c.relname, o.conname, d.description
from pg_constraint as o join pg_class as c on c.oid = o.conrelid
join pg_namespace as n on n.oid = c.relnamespace
join pg_description as d on d.objoid = o.oid and d.classoid = 'pg_constraint'::regclass
where n.nspname = %s
"""


class Publisher:
    """One connection to a target, which nobody else publishes to meanwhile."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        target: Target,
        clock: Clock,
        stopping: threading.Event,
    ) -> None:
        self._connection = connection
        self._stopping = stopping
        self._target = target
        self._clock = clock
        self._schema = identifier(target.schema)

    def state(self) -> State:
        """Return what is published there."""
        table = f"{self._schema}.{STATE}"
        with self._connection.transaction():
            there = self._one("select to_regclass(%s)::text", [table])
            if there is None:
                return State()
            rows = self._all(
                f"select table_name, digest, comments, run_id from {table}"
            )
        newest = max((row[3] for row in rows), default=None)
        return State(
            {row[0]: row[1] for row in rows}, {row[0]: row[2] for row in rows}, newest
        )

    def send(
        self, prepared: Sequence[Prepared], references: Sequence[Relation], stamp: Stamp
    ) -> list[Sent]:
        """Make the target what is prepared, in one commit.

        Where columns or keys change it waits for readers of those tables, again and
        again for a moment, so that none of them is ever stopped for us.
        """
        import psycopg

        for tries in range(TRIES_MAX):
            self._require_going()
            try:
                with self._connection.transaction():
                    return self._send(prepared, references, stamp)
            except (
                psycopg.errors.LockNotAvailable,
                psycopg.errors.DeadlockDetected,
                psycopg.errors.SerializationFailure,
            ):
                self._clock.wait(self._stopping, min(0.05 * (tries + 1), 1.0))
        raise UnreachableError(
            shown_dsn(self._target.dsn),
            "readers hold a table whose columns or keys change, for minutes by now",
            "End long transactions there; it is tried again.",
        )

    def _send(
        self, prepared: Sequence[Prepared], references: Sequence[Relation], stamp: Stamp
    ) -> list[Sent]:
        self._run(f"set local lock_timeout = {LOCK_MS}")
        self._run(f"create schema if not exists {self._schema}")
        self._run(_MAKE_STATE.format(schema=self._schema, state=STATE))
        state = self.state()
        changes = self._changes(prepared, references, state)
        self._lock(prepared, changes)
        for change in changes.values():
            self._run_all(change.before)
        sent = self._remove(prepared, state)
        for each in prepared:
            sent.append(self._fill(each, changes[each.table.name]))
        if any(change.keys or change.references for change in changes.values()):
            self._run("set constraints all immediate")
        for change in changes.values():
            self._run_all(change.keys)
        for change in changes.values():
            self._run_all(change.references)
        self._note(prepared, state, stamp)
        self._grant(prepared)
        return sent

    def _changes(
        self, prepared: Sequence[Prepared], references: Sequence[Relation], state: State
    ) -> dict[str, Change]:
        found = self._found()
        for each in prepared:
            name = each.table.name
            if name in found and name not in state.digests:
                raise ConfigError(
                    f"{self._target.schema}.{name}",
                    "a table of this name is there, and it was not published by us",
                    "Rename it, or publish into another schema: --schema NAME.",
                )
        wanted = {p.table.name: self._constraints(p, references) for p in prepared}
        lost = {
            f"references {relation(self._target.schema, p.table)} "
            for p in prepared
            if loses_key(p.table, found.get(p.table.name), wanted[p.table.name])
        }
        return {
            p.table.name: change_of(
                self._target.schema,
                p.table,
                _without(found.get(p.table.name), lost),
                wanted[p.table.name],
            )
            for p in prepared
        }

    def _constraints(
        self, prepared: Prepared, references: Sequence[Relation]
    ) -> list[Constraint]:
        """Return a table's keys, what others refer to, and what it refers to."""
        table = prepared.table
        key = [key_of(table)] if prepared.has_key else []
        referred = {r.parent_column for r in references if r.parent == table.name}
        referred -= (
            {table.key[0]} if prepared.has_key and len(table.key) == 1 else set()
        )
        unique = [unique_of(table, column) for column in sorted(referred)]
        own = [r for r in references if r.child == table.name]
        return key + unique + [reference_of(self._target.schema, r) for r in own]

    def _found(self) -> dict[str, Found]:
        columns: dict[str, list[tuple[str, str]]] = {}
        for table, name, kind in self._all(_COLUMNS, [self._target.schema]):
            columns.setdefault(table, []).append((name, kind))
        constraints: dict[str, dict[str, str]] = {}
        for table, name, definition in self._all(_CONSTRAINTS, [self._target.schema]):
            constraints.setdefault(table, {})[name] = definition
        return {
            table: Found(tuple(each), constraints.get(table, {}))
            for table, each in columns.items()
        }

    def _lock(
        self, prepared: Sequence[Prepared], changes: Mapping[str, Change]
    ) -> None:
        """Take every lock at once, in one order, before anything is written."""
        found = self._found()
        names = sorted(
            relation(self._target.schema, each.table)
            for each in prepared
            if changes[each.table.name].locks and each.table.name in found
        )
        if names:
            self._run(f"lock table {', '.join(names)} in access exclusive mode")

    def _remove(self, prepared: Sequence[Prepared], state: State) -> list[Sent]:
        """Drop tables that gold has no more, but none that a view there reads."""
        import psycopg

        sent = []
        for name in sorted(state.digests.keys() - {p.table.name for p in prepared}):
            try:
                with self._connection.transaction():
                    self._run(f"drop table if exists {self._schema}.{identifier(name)}")
                    self._run(
                        f"delete from {self._schema}.{STATE} "
                        f"where table_name = {literal(name)}"
                    )
                sent.append(Sent(name, "removed", 0))
            except psycopg.errors.DependentObjectsStillExist:
                sent.append(Sent(name, "left: something there depends on it", 0))
        return sent

    def _fill(self, each: Prepared, change: Change) -> Sent:
        """Send the rows of one table."""
        name, written = each.table.name, each.written
        if written is None and change.fits:
            return Sent(name, "unchanged", 0)
        if written is None:
            raise StateMovedError(name)
        target = relation(self._target.schema, each.table)
        if written.gone is not None and change.fits:
            if self._delete_keys(each, target, written) != written.gone_count:
                raise StateMovedError(name)
            self._copy(target, each.table, written.rows)
            return Sent(name, "changed rows", written.row_count + written.gone_count)
        if written.gone is not None:
            raise StateMovedError(name)
        self._run(f"delete from {target}")
        self._copy(target, each.table, written.rows)
        return Sent(name, "whole", written.row_count)

    def _delete_keys(self, each: Prepared, target: str, written: Written) -> int:
        """Remove the rows of some keys; return how many there were."""
        assert written.gone is not None
        if not written.gone_count:
            return 0
        kinds = dict(wanted_columns(each.table))
        places = list(enumerate(each.table.key))
        columns = ", ".join(f"k{place} {kinds[name]}" for place, name in places)
        gone = identifier(f"gone_{each.table.name}"[:60])
        self._run(f"create temp table {gone} ({columns}) on commit drop")
        self._copy_into(f"pg_temp.{gone}", written.gone)
        self._run(f"analyze pg_temp.{gone}")
        same = " and ".join(
            f"t.{identifier(name)} = g.k{place}" for place, name in places
        )
        with self._connection.cursor() as cursor:
            cursor.execute(
                f"delete from {target} as t using pg_temp.{gone} as g where {same}"
            )
            return cursor.rowcount

    def _copy(self, target: str, table: GoldTable, path: Path) -> None:
        names = ", ".join(identifier(each.name) for each in table.columns)
        self._copy_into(f"{target} ({names})", path)

    def _copy_into(self, target: str, path: Path) -> None:
        statement: Any = f"copy {target} from stdin (format text, encoding 'UTF8')"
        with (
            path.open("rb") as file,
            self._connection.cursor() as cursor,
            cursor.copy(statement) as copy,
        ):
            while chunk := file.read(CHUNK):
                self._require_going()
                copy.write(chunk)

    def _require_going(self) -> None:
        if self._stopping.is_set():
            raise UnreachableError("the service", "it is stopping")

    def _note(self, prepared: Sequence[Prepared], state: State, stamp: Stamp) -> None:
        """Write down what is published now, and what tables and columns mean."""
        for each in prepared:
            comments = comments_of(self._target.schema, each.table)
            told = "\n".join(comments)
            if state.comments.get(each.table.name) != told:
                self._run_all(comments)
            self._all(
                f"insert into {self._schema}.{STATE} values "
                "(%s, %s, %s, %s, %s, %s, %s) on conflict (table_name) do update set "
                "digest = excluded.digest, rows = excluded.rows, "
                "comments = excluded.comments, run_id = excluded.run_id, "
                "project = excluded.project, published_at = excluded.published_at "
                "returning 1",
                [
                    *(each.table.name, each.digest, each.total, told),
                    *(stamp.run_id, stamp.project, stamp.now),
                ],
            )

    def _grant(self, prepared: Sequence[Prepared]) -> None:
        tables = ", ".join(relation(self._target.schema, p.table) for p in prepared)
        for role in self._target.grant_to:
            self._run(f"grant usage on schema {self._schema} to {identifier(role)}")
            if tables:
                self._run(f"grant select on {tables} to {identifier(role)}")

    def tidy(self, sent: Sequence[Sent]) -> None:
        """Let Postgres use the space of many old rows again, beside its readers.

        Of a few rows its own autovacuum takes care.
        """
        self._connection.autocommit = True
        for each in sent:
            if each.way in ("changed rows", "whole") and each.rows >= TIDY_ROWS_MIN:
                target = f"{self._schema}.{identifier(each.table)}"
                self._run(f"vacuum (analyze, truncate off) {target}")
        self._connection.autocommit = False

    def _run_all(self, statements: Sequence[str]) -> None:
        for statement in statements:
            self._run(statement)

    def _run(self, statement: str) -> None:
        self._connection.execute(statement)

    def _all(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]]
        rows = self._connection.execute(query, values or None).fetchall()
        return rows

    def _one(self, query: str, values: Sequence[object] = ()) -> Any:
        rows = self._all(query, values)
        return rows[0][0] if rows else None


class StateMovedError(Exception):
    """A table is not as it was found when rows were prepared: the whole is sent."""


def _without(found: Found | None, references: set[str]) -> Found | None:
    """Return a table without constraints that refer to what loses its key."""
    if found is None:
        return None
    kept = {
        name: definition
        for name, definition in found.constraints.items()
        if not any(each in definition for each in references)
    }
    return Found(found.columns, kept)
