"""SQL that tasks and alerts of a project send: as it is written, or refused. Pure.

It is not translated: both engines get the same text, and what would not be the same is
named with file, line and what to write instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from snowmelt.deploy.portable.statements import (
    Named,
    Statements,
    UnreadableError,
    read_statements,
)
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.places import Findings
from snowmelt.transform.tasks.config import Expect, SqlTask

_OF_THE_ENGINE = ("information_schema", "main", "pg_catalog", "system", "temp")
_SHARED = frozenset({"_file", "_file_row", "_version_at", "_loaded_at"})
"""Columns of loads that bronze has here and there, in its views and tables."""
OF_VIEWS = _SHARED | {"_load_seq", "_replayed_from", "_stage_path"}
OF_TABLES = _SHARED | {"_content_key", "_replayed_from"}
_RETURNED_MAX = 2500
"""Letters of what a task returns, of four bytes at most: it may be 10 kB of UTF-8
(https://docs.snowflake.com/en/sql-reference/functions/system_set_return_value)."""
_PORTABLY = "Write it portably, or write runner: service in the target."


@dataclass(frozen=True)
class Readable:
    """The tables that are there before dbt builds any."""

    bronze: str
    system: str
    tables: frozenset[tuple[str, str]]
    """Those of bronze and of the system, by schema and name."""
    own: frozenset[str] = frozenset()
    """Columns of contracts, of which some may begin as those of loads do."""

    def lacks(self, named: Named) -> str:
        """Say why a table cannot be read there; nothing if it can, or may be built."""
        if named.catalog:
            return "the database has another name there: name schema and table alone"
        if named.schema in _OF_THE_ENGINE:
            return "it is this engine's own"
        if (named.schema, named.table) in self.tables:
            return self._lacks_columns(named)
        if named.schema not in (self.bronze, self.system):
            return ""
        if named.schema == self.bronze:
            return "no pipe makes it there"
        return (
            f"it is not there. What was loaded when, {self.bronze} says itself: "
            f"select max(_loaded_at) from {self.bronze}.…; of failed files tells a "
            "rule of alerts, on: failed"
        )

    def _lacks_columns(self, named: Named) -> str:
        if named.schema != self.bronze:
            return ""
        is_all = named.table.endswith("__all")
        lacking = sorted(named.marks - (OF_TABLES if is_all else OF_VIEWS) - self.own)
        if not lacking:
            return ""
        return f"it has no {lacking[0]} there, but {', '.join(sorted(_SHARED))}"


def problems(found: Statements, readable: Readable) -> Iterator[tuple[int, str]]:
    """Yield in which line something is not portable, or not there, and why."""
    for each in found.findings:
        yield each.line, f"{each.found}: {each.why}" if each.found else each.why
    for named in found.named:
        told = readable.lacks(named)
        if told:
            yield named.line, f"{named}: {told}"


def task_code(
    task: SqlTask, root: Path, readable: Readable, at: str, findings: Findings
) -> str:
    """Return what carries out a task's file; note what of it is not portable.

    `at`: where the task names it.
    """
    try:
        found = read_statements((root / task.file).read_text(encoding="utf-8"))
    except UnreadableError as error:
        findings.refuse(f"{task.file}:{error.line}", str(error), _PORTABLY)
        return "SELECT 1"
    except (OSError, UnicodeDecodeError) as error:
        findings.refuse(at, f"{task.file} cannot be read: {error}", _PORTABLY)
        return "SELECT 1"
    if any("$$" in each for each in found.texts):
        told = f"{task.file} has $$ in it, between which it would stand"
        findings.refuse(at, told, _PORTABLY)
        return "SELECT 1"
    refused = sorted(set(problems(found, readable)))
    for number, (line, told) in enumerate(refused, start=1):
        remedy = _PORTABLY if number == len(refused) else ""  # it is that of all
        findings.refuse(f"{task.file}:{line}", told, remedy)
    if not found.texts:
        return "SELECT 1"
    if not found.asks:
        return block(found.texts)
    *before, last = found.texts
    return _judged(before, last, task.expect, task.file)


def block(statements: Iterable[str], declared: Iterable[str] = ()) -> str:
    """Return a block that carries out statements, with variables that it declares."""
    listed = ";\n  ".join(statements)
    variables = "".join(f"  {each};\n" for each in declared)
    head = f"DECLARE\n{variables}" if variables else ""
    return _executed(f"{head}BEGIN\n  {listed};\nEND")


def _executed(code: str) -> str:
    """Return what carries out a block, whole for clients that cut at semicolons."""
    return f"EXECUTE IMMEDIATE\n{sql.body(code)}"


def _judged(before: list[str], query: str, expect: Expect | None, file: str) -> str:
    """Return a block that judges what a query returns, or returns its first value."""
    lines = [f"  {each};" for each in before]
    if expect is None:
        value = (
            f"(SELECT SUBSTR($1::VARCHAR, 1, {_RETURNED_MAX}) FROM ({query}) LIMIT 1)"
        )
        lines += [f"  LET found VARCHAR := {value};"]
        lines += ["  IF (found IS NOT NULL) THEN"]
        lines += ["    CALL SYSTEM$SET_RETURN_VALUE(:found);", "  END IF;"]
        return _executed("\n".join(["BEGIN", *lines, "END"]))
    negated = "NOT " if expect is Expect.ROWS else ""
    what = "a row, and returned none" if expect is Expect.ROWS else "no row, and did"
    code = "\n".join(
        [
            "DECLARE",
            f"  gate EXCEPTION (-20001, {sql.text(f'{file} must return {what}')});",
            "BEGIN",
            *lines,
            f"  IF ({negated}EXISTS ({query})) THEN",
            "    RAISE gate;",
            "  END IF;",
            "END",
        ]
    )
    return _executed(code)
