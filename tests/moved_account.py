"""An account that rows are moved to, for tests: DuckDB behind what Snowflake is told.

Statements are read by sqlglot as Snowflake's and carried out as DuckDB's; COPY reads
Parquet from the bucket. What it does as documented: a COPY belongs to the transaction
that is open, and a table remembers which files it copied
(https://docs.snowflake.com/en/sql-reference/sql/copy-into-table). The process that
speaks to it can be killed before any statement, or before its answer: then what was
open is rolled back.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import duckdb
import sqlglot

from snowmelt.deploy.naming import Names
from snowmelt.deploy.opening import names_of
from snowmelt.deploy.snowflake.manifest import manifest
from snowmelt.deploy.snowflake.places import Findings
from snowmelt.deploy.snowflake.session import AccountError, Row
from snowmelt.deploy.snowflake.table import Table, View
from snowmelt.project.project import Project

_KINDS = {
    "FLOAT": "DOUBLE",
    "TIMESTAMP_NTZ": "TIMESTAMP",
    "TIMESTAMP_TZ": "TIMESTAMPTZ",
    "TIMESTAMP_LTZ": "TIMESTAMPTZ",
    "VARIANT": "JSON",
}
_FILES = re.compile(r"FILES = \('([^']*)'\)")
_TAKEN = re.compile(r'(PARSE_JSON\()?\$1:"([^"]+)"::[A-Z_]+(?:\([\d,]+\))?\)?')
_MACROS = (
    "create temp macro m_d5_number_lower64(x) as "
    "cast('0x' || substr(md5(x), 17, 16) as ubigint)",
    "create temp macro m_d5_number_upper64(x) as "
    "cast('0x' || substr(md5(x), 1, 16) as ubigint)",
)


class Killed(BaseException):
    """The process that spoke to the account is gone."""


@dataclass
class MovedAccount:
    """One account. `kill_at`: the number of the statement that the process dies at."""

    body: Callable[[str], bytes]
    """Reads an object of the bucket by its key."""
    folder: str = "raw/"
    statements: list[str] = field(default_factory=list)
    kill_at: int | None = None
    kills_after: bool = False
    refuses: dict[str, str] = field(default_factory=dict)
    """Beginnings of statements that are refused, and what is said."""
    repeats: bool = False
    """Is each record sent twice, since the first answer is lost?"""
    copies_commit: bool = False
    """Is a COPY there at once, whatever becomes of the transaction?"""
    tables: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    before: Callable[[str], None] = lambda statement: None

    def __post_init__(self) -> None:
        self._con = duckdb.connect()
        self._con.execute("set timezone = 'UTC'")
        for macro in _MACROS:
            self._con.execute(macro)
        self._copied: set[tuple[str, str]] = set()
        self._open: set[tuple[str, str]] = set()

    def deploy(self, project: Project) -> Names:
        """Make the tables and views of a project as `deploy` defines them."""
        names = names_of(project, "prod")
        self._con.execute(f"attach if not exists ':memory:' as {names.database}")
        for each in manifest(project, names, Findings(project.root)):
            place = each.name.rpartition(".")[0]
            if isinstance(each, Table):
                self._con.execute(f"create schema if not exists {place}")
                self.tables[each.name] = [(c.name, c.type) for c in each.columns]
                listed = ", ".join(f"{c.name} {_kind(c.type)}" for c in each.columns)
                self._con.execute(f"create table {each.name} ({listed})")
            elif isinstance(each, View):
                query = _translated(each.query)
                self._con.execute(f"create view {each.name} as {query}")
        return names

    def ask(self, query: str) -> list[tuple[object, ...]]:
        """Ask the engine itself."""
        return self._con.execute(query).fetchall()

    def tell(self, statement: str, values: Sequence[object]) -> None:
        """Tell the engine itself."""
        self._con.execute(statement, values)

    def truncate(self, table: str) -> None:
        """Empty a table, and forget what was copied into it."""
        self._con.execute(f"truncate table {table}")
        self._copied = {each for each in self._copied if each[0] != table}

    def close(self) -> None:
        """End the session: what is open is gone."""
        self._open.clear()
        if self._in_transaction:
            self._con.execute("rollback")
            self._in_transaction = False

    _in_transaction = False

    def rows(self, statement: str) -> list[Row]:
        number = len(self.statements)
        self.statements.append(statement)
        if number == self.kill_at and not self.kills_after:
            self.close()
            raise Killed
        if self.kill_at is not None and number > self.kill_at:
            raise Killed
        self.before(statement)
        for beginning, said in self.refuses.items():
            if statement.startswith(beginning):
                raise AccountError(statement, 3001, said)
        if self.repeats and statement.startswith("INSERT"):
            self._carry_out(statement)  # its answer was lost
        answer = self._carry_out(statement)
        if number == self.kill_at:
            self.close()
            raise Killed
        return answer

    def _carry_out(self, statement: str) -> list[Row]:
        word = statement.split()[0]
        if word == "BEGIN":
            self._con.execute("begin")
            self._in_transaction = True
            return []
        if word in ("COMMIT", "ROLLBACK"):
            self._con.execute(word)
            self._in_transaction = False
            if word == "COMMIT":
                self._copied |= self._open
            self._open.clear()
            return []
        if word == "DESC":
            return self._described(statement.split()[-1])
        if word == "COPY":
            return self._copy(statement)
        if statement.startswith("ALTER TABLE"):
            return self._alter(statement)
        return self._answered(_translated(statement))

    def _answered(self, query: str) -> list[Row]:
        done = self._con.execute(query)
        names = [column[0].lower() for column in done.description or ()]
        return [dict(zip(names, row, strict=True)) for row in done.fetchall()]

    def _described(self, table: str) -> list[Row]:
        if table not in self.tables:
            told = f"Table '{table}' does not exist or not authorized."
            raise AccountError(f"DESC TABLE {table}", 2003, told)
        return [
            {"name": name.strip('"'), "type": kind, "null?": "Y"}
            for name, kind in self.tables[table]
        ]

    def _alter(self, statement: str) -> list[Row]:
        found = re.fullmatch(
            r"ALTER TABLE (\S+) ADD COLUMN IF NOT EXISTS (\S+) (\S+)", statement
        )
        assert found, statement
        table, name, kind = found.groups()
        if name not in dict(self.tables[table]):
            self.tables[table].append((name, kind))
            self._con.execute(f"alter table {table} add column {name} {_kind(kind)}")
        return []

    def _copy(self, statement: str) -> list[Row]:
        table = statement.split()[2]
        found = _FILES.search(statement)
        assert found, statement
        assert "USE_LOGICAL_TYPE = TRUE" in statement
        assert "NULL_IF = ()" in statement
        key = (table, found[1])
        if key in self._copied | self._open:
            return [{"status": "Copy executed with 0 files processed."}]
        with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
            Path(file.name).write_bytes(self.body(self.folder + found[1]))
            (count,) = self._insert(statement, table, file.name)
        self._open.add(key)
        if self.copies_commit:
            self._con.execute("commit; begin")
            self._copied |= self._open
        return [{"file": found[1], "status": "LOADED", "rows_loaded": count}]

    def _insert(self, statement: str, table: str, path: str) -> tuple[int]:
        read = f"from read_parquet('{path}')"
        if "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE" in statement:
            self._con.execute(f"insert into {table} by name select * {read}")
        else:
            columns = statement.partition("(")[2].partition(")")[0]
            taken = ", ".join(f'"{name}"' for _, name in _TAKEN.findall(statement))
            self._con.execute(f"insert into {table} ({columns}) select {taken} {read}")
        [count] = self._con.execute(f"select count(*) {read}").fetchall()
        return count


def _kind(kind: str) -> str:
    return _KINDS.get(kind, kind.replace("NUMBER", "DECIMAL"))


@cache
def _translated(statement: str) -> str:
    statement = re.sub(r"IS_ROLE_IN_SESSION\('[^']*'\)", "TRUE", statement)
    [told] = sqlglot.transpile(statement, read="snowflake", write="duckdb")
    return told.replace("EPOCH_NANOSECOND FROM", "EPOCH FROM")
