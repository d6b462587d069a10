"""Tasks, the graph that they are, and the streams that their conditions ask."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from snowmelt.deploy.address import Value
from snowmelt.deploy.resource import Found, Mark, Traits
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.entity import Entity, address_of
from snowmelt.deploy.snowflake.session import Row
from snowmelt.deploy.snowflake.sql import Named, Written
from snowmelt.deploy.snowflake.table import found_by_mark


@dataclass(frozen=True)
class Stream(Entity):
    """What a task's condition asks. It is an offset: replaced, it would forget it."""

    kind: ClassVar[str] = "stream"
    noun: ClassVar[str] = "STREAM"
    traits: ClassVar[Traits] = Traits(rank=42)

    table: str

    @property
    def properties(self) -> Mapping[str, Value]:
        return {"table": self.table, "append_only": True, "stale": False}

    def refuses(self, name: str, before: Value, after: Value) -> str:
        """Say why not: but one that is stale cannot be read, and has lost its offset.

        https://docs.snowflake.com/en/sql-reference/sql/show-streams. Made anew it tells
        of all rows once.
        """
        if name == "stale":
            return ""
        return "what a stream is on cannot be changed: a new one knows no offset"

    def create(self, mark: Mark) -> list[str]:
        return [
            f"CREATE STREAM IF NOT EXISTS {self.name} ON TABLE {self.table}\n  "
            "APPEND_ONLY = TRUE\n  SHOW_INITIAL_ROWS = TRUE\n  "
            f"{sql.options({'COMMENT': str(mark)})}"
        ]

    def change(
        self, names: Collection[str], mark: Mark, found: Found | None
    ) -> list[str]:
        return [*self.drop(), *self.create(mark)]

    @staticmethod
    def found(row: Row) -> Found:
        """Read a row of SHOW STREAMS."""
        read = found_by_mark(Stream.kind, row, Stream.traits)
        table = sql.rewritten(str(row["table_name"]))
        told: dict[str, Value] = {
            "table": table,
            "append_only": row["mode"] == "APPEND_ONLY",
            "stale": str(row.get("stale")).lower() == "true",
        }
        return Found(
            read.address,
            told,
            read.mark,
            read.traits,
            (*read.needs, address_of("table", table)),
            inside=read.inside,
        )


@dataclass(frozen=True)
class Task(Entity):
    """One task. It is changed while its root is suspended: a graph runs as it began.

    It is suspended itself, too: one that is started cannot be altered. The graph lets
    all of them run again (`TaskGraph`), as SYSTEM$TASK_DEPENDENTS_ENABLE does:
    https://docs.snowflake.com/en/sql-reference/sql/alter-task. Its session is in UTC,
    as those of this machine are: CURRENT_DATE is the same day.
    """

    kind: ClassVar[str] = "task"
    noun: ClassVar[str] = "TASK"
    traits: ClassVar[Traits] = Traits(rank=50, stops_first=True)

    root: str
    code: str
    warehouse: str
    schedule: str = ""
    after: tuple[str, ...] = ()
    finalize: str = ""
    when: str = ""
    settings: tuple[tuple[str, Written], ...] = ()
    """Options of the root, and of each."""

    @property
    def properties(self) -> Mapping[str, Value]:
        told: dict[str, Value] = {
            "definition": sql.squeezed(self.code),
            "warehouse": self.warehouse,
            "schedule": self.schedule,
            "after": tuple(sorted(self.after)),
            "finalize": self.finalize,
            "when": sql.squeezed(self.when),
            "timezone": "UTC",
        }
        return told | {
            key.lower(): str(each) if isinstance(each, str) else each
            for key, each in self.settings
            if not isinstance(each, tuple)
        }

    def create(self, mark: Mark) -> list[str]:
        stop = [] if self.root == self.name else [suspend(self.root)]
        return [*stop, self._statement("CREATE TASK IF NOT EXISTS", mark)]

    def change(
        self, names: Collection[str], mark: Mark, found: Found | None
    ) -> list[str]:
        own = [] if self.root == self.name else [suspend(self.name)]
        change = self._statement("CREATE OR ALTER TASK", mark)
        return [suspend(self.root), *own, change]

    def _statement(self, verb: str, mark: Mark) -> str:
        given: dict[str, Written] = {"WAREHOUSE": Named(self.warehouse)}
        if self.schedule:
            given["SCHEDULE"] = self.schedule
        given |= dict(self.settings) | {"TIMEZONE": "UTC"}
        parts = [f"{verb} {self.name}"]
        parts += [sql.options({key: value}) for key, value in given.items()]
        parts.append(sql.options({"COMMENT": str(mark)}))
        if self.finalize:
            parts.append(f"FINALIZE = {self.finalize}")
        if self.after:
            parts.append(f"AFTER {', '.join(self.after)}")
        if self.when:
            parts.append(f"WHEN {self.when}")
        return f"{sql.lines(parts)}\nAS\n{self.code}"

    @staticmethod
    def found(row: Row) -> Found:
        """Read a row of SHOW TASKS.

        Retries, time-outs and, in accounts of some age, the overlap policy are not
        shown: the digest has them.
        """
        read = found_by_mark(Task.kind, row, Task.traits)
        relations = json.loads(row.get("task_relations") or "{}")
        parents = [sql.rewritten(each) for each in relations.get("Predecessors", [])]
        finalized = sql.rewritten(relations.get("FinalizedRootTask") or "")
        told: dict[str, Value] = {
            "definition": sql.squeezed(str(row["definition"])),
            "warehouse": sql.as_kept(row["warehouse"] or "?"),
            "schedule": row["schedule"] or "",
            "after": tuple(sorted(parents)),
            "finalize": finalized,
            "when": sql.squeezed(str(row["condition"] or "")),
        }
        above = [address_of(Task.kind, each) for each in (*parents, finalized) if each]
        return Found(
            read.address,
            told,
            read.mark,
            read.traits,
            (*read.needs, *above),
            {"state": str(row["state"]).lower()},
            inside=read.inside,
        )


def suspend(root: str) -> str:
    """Return what stops a graph from starting; runs under way go on."""
    return f"ALTER TASK IF EXISTS {root} SUSPEND"


@dataclass(frozen=True)
class TaskGraph(Entity):
    """That a graph runs: made or changed tasks are suspended until all are there."""

    kind: ClassVar[str] = "task_graph"
    noun: ClassVar[str] = ""
    traits: ClassVar[Traits] = Traits(rank=52, follows=True, is_state=True)

    suspended: bool = False
    members: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()
    """Tasks below the root that wait until a person resumes them."""

    @property
    def properties(self) -> Mapping[str, Value]:
        return {"state": "suspended" if self.suspended else "started"}

    def create(self, mark: Mark) -> list[str]:
        if self.suspended:
            return [suspend(self.name)]
        return [
            f"SELECT SYSTEM$TASK_DEPENDENTS_ENABLE({sql.text(self.name)})",
            *(f"ALTER TASK {each} SUSPEND" for each in self.stopped),
        ]

    def change(
        self, names: Collection[str], mark: Mark, found: Found | None
    ) -> list[str]:
        return self.create(mark)

    def drop(self) -> list[str]:
        return []

    def seen(self, tasks: Collection[Found]) -> Found | None:
        """Return how it is, from its tasks; None while its root is not there."""
        states = {each.address.name: each.outputs["state"] for each in tasks}
        if self.name not in states:
            return None
        root = next(each for each in tasks if each.address.name == self.name)
        own = [states.get(each, "suspended") for each in self.members]
        if self.suspended:
            state = states[self.name]
        else:
            waiting = {states.get(each, "suspended") for each in self.stopped}
            is_so = set(own) == {"started"} and waiting <= {"suspended"}
            state = "started" if is_so else "suspended"
        needs = tuple(each.address for each in tasks)
        mark = root.mark.of_what_belongs_to_it if root.mark else None
        return Found(self.address, {"state": state}, mark, self.traits, needs)
