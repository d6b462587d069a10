"""An account that rows are moved to, for tests: DuckDB behind what Snowflake is told.

Statements are read by sqlglot as Snowflake's and carried out as DuckDB's; COPY reads
Parquet from the bucket. What it does as documented: a COPY belongs to the transaction
that is open, and a table remembers which files it copied
(https://docs.snowflake.com/en/sql-reference/sql/copy-into-table). The process that
speaks to it can be killed before any statement, or before its answer: then what was
open is rolled back.

A stage is asked for all files that begin as the place does, by a format that this
session made (https://docs.snowflake.com/en/user-guide/querying-stage). PARSE_JSON
refuses a key that occurs twice, and keeps no text: keys are kept in an order of its
own, numbers as numbers (https://docs.snowflake.com/en/sql-reference/functions/to_json).
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

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
_STAGED = re.compile(
    r"FROM '@SHOP\.BRONZE\.LANDING/([^']*)' \(FILE_FORMAT => '([^']*)'\)"
)
_ELEMENT = re.compile(r'\$1:("[^"]+")::([A-Z_]+(?:\([\d,]+\))?)')
_MAKES_FORMAT = re.compile(
    r"CREATE TEMPORARY FILE FORMAT IF NOT EXISTS (\S+) TYPE = PARQUET "
    r"USE_LOGICAL_TYPE = TRUE NULL_IF = \(\)"
)
_OF_JSON = (
    (r"\bEQUAL_NULL\((?=MOVED)", "THERE_SAME("),
    (r"\bPARSE_JSON\(", "THERE_PARSED("),
    (r"\bTRY_PARSE_JSON\(", "THERE_TRIED("),
    (r"\bTO_JSON\(", "THERE_WRITTEN("),
    (r"\bCHECK_JSON\(", "THERE_CHECKED("),
)
_ROW_KEY = ('"_FILE"', '"_FILE_ROW"', '"_CONTENT_KEY"')
_DIGITS_MAX = 38
_WHAT_IS_KNOWN = ("parsed", "problem", "stored")
"""Of texts of JSON, as variables of the engine: it has no functions of ours."""
_MACROS = (
    "create temp macro m_d5_number_lower64(x) as "
    "cast('0x' || substr(md5(x), 17, 16) as ubigint)",
    "create temp macro m_d5_number_upper64(x) as "
    "cast('0x' || substr(md5(x), 1, 16) as ubigint)",
    "create temp macro there_parsed(x) as getvariable('parsed')[x]",
    "create temp macro there_tried(x) as getvariable('parsed')[x]",
    "create temp macro there_checked(x) as getvariable('problem')[x]",
    "create temp macro there_stored(x) as getvariable('stored')[x]",
    "create temp macro there_written(x) as cast(x as varchar)",
    "create temp macro there_same(a, b) as "
    "coalesce(getvariable('parsed')[cast(a as varchar)], cast(a as varchar)) "
    "is not distinct from cast(b as varchar)",
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
    lying: Callable[[str], list[str]] = lambda beginning: [beginning]
    """Lists the keys of a bucket that begin so."""
    transit: Callable[[str], str] = lambda text: text
    """What a COPY makes of a text of JSON, before it is parsed."""
    reorders: bool = False
    """Do keys of stored objects come in another order than those of parsed ones?"""
    before: Callable[[str], None] = lambda statement: None

    def __post_init__(self) -> None:
        self._con = duckdb.connect()
        self._con.execute("set timezone = 'UTC'")
        for macro in _MACROS:
            self._con.execute(macro)
        self._formats: set[str] = set()
        self._numbers = count()
        self._known: dict[str, tuple[str | None, str | None]] = {}
        self._learn([])
        self._copied: set[tuple[str, str]] = set()
        self._open: set[tuple[str, str]] = set()

    def deploy(self, project: Project) -> Names:
        """Make the tables and views of a project as `deploy` defines them."""
        names = names_of(project, "prod")
        self._con.execute(f"attach if not exists ':memory:' as {names.database}")
        for each in manifest(project, names, Findings(project.root)):
            place = each.name.rpartition(".")[0]
            if each.name in self.tables and isinstance(each, Table):
                for column in each.columns:
                    self.add_column(each.name, column.name, column.type)
            elif isinstance(each, Table):
                self._con.execute(f"create schema if not exists {place}")
                self.tables[each.name] = [(c.name, c.type) for c in each.columns]
                listed = ", ".join(f"{c.name} {_kind(c.type)}" for c in each.columns)
                self._con.execute(f"create table {each.name} ({listed})")
            elif isinstance(each, View):
                query = _translated(each.query)
                self._con.execute(f"create or replace view {each.name} as {query}")
        return names

    def ask(self, query: str) -> list[tuple[object, ...]]:
        """Ask the engine itself."""
        return self._con.execute(query).fetchall()

    def _learn(self, texts: Iterable[str], *, copies: bool = False) -> None:
        """Parse texts of JSON, and let the engine know what comes of it."""
        stored: dict[str, str | None] = {}
        for text in texts:
            kept, problem = self._known[text] = read_there(text)
            if copies and problem is None:
                kept, _ = read_there(self.transit(text))
                stored[text] = turned(kept) if self.reorders else kept
                self._known.setdefault(str(stored[text]), (kept, None))
        parsed = {text: kept for text, (kept, _) in self._known.items()}
        problems = {text: problem for text, (_, problem) in self._known.items()}
        for name, told in zip(_WHAT_IS_KNOWN, (parsed, problems, stored), strict=True):
            listed = [(text, each) for text, each in told.items() if each is not None]
            self._con.execute(
                "create or replace temp table known (a varchar, b varchar)"
            )
            if listed:
                self._con.executemany("insert into known values (?, ?)", listed)
            self._con.execute(
                f"set variable {name} = "
                "(select map(coalesce(list(a), []), coalesce(list(b), [])) from known)"
            )

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
        if statement.startswith("CREATE"):
            return self._make_format(statement)
        return self._answered(_translated(_STAGED.sub(self._staged, statement)))

    def _make_format(self, statement: str) -> list[Row]:
        found = _MAKES_FORMAT.fullmatch(statement)
        assert found, statement
        assert not self._in_transaction, "it would end the transaction"
        self._formats.add(found[1])
        return []

    def _staged(self, asked: re.Match[str]) -> str:
        """Make a table of what lies in a place; return what stands for it."""
        place, format_name = asked.groups()
        assert format_name in self._formats, "a query names a format of its session"
        kinds = dict.fromkeys(_ELEMENT.findall(asked.string))
        wanted = {name: f"cast(null as {_kind(kind)})" for name, kind in kinds}
        table = f"staged_{next(self._numbers)}"
        columns = ", ".join(f"{null} as {name}" for name, null in wanted.items())
        self._con.execute(f"create temp table {table} as select {columns} limit 0")
        for key in self.lying(self.folder + place):
            with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
                Path(file.name).write_bytes(self.body(key))
                there = {f'"{name}"' for name in self._columns_of(file.name)}
                taken = ", ".join(
                    name if name in there else null for name, null in wanted.items()
                )
                self._con.execute(
                    f"insert into {table} select {taken} "
                    f"from read_parquet('{file.name}')"
                )
        of_json = [name for name, _ in kinds if name not in _ROW_KEY]
        self._read_json(asked.string, of_json, f"from {table}")
        return f"FROM {table}"

    def _read_json(self, statement: str, columns: Sequence[str], source: str) -> None:
        """Get to know texts of JSON; refuse what a statement cannot parse."""
        texts = {
            text
            for each in columns
            for (text,) in self._con.execute(
                f"select distinct {each} {source}"
            ).fetchall()
            if text is not None
        }
        self._learn(sorted(texts), copies=statement.startswith("COPY"))
        for text in sorted(texts):
            problem = self._known[text][1]
            if problem and re.search(r"\bPARSE_JSON\(", statement):
                raise AccountError(statement, 100069, f"Error parsing JSON: {problem}")

    def _columns_of(self, path: str) -> list[str]:
        found = self._con.execute(f"describe from read_parquet('{path}')").fetchall()
        return [row[0] for row in found]

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
        self.add_column(*found.groups())
        return []

    def add_column(self, table: str, name: str, kind: str) -> None:
        """Add a column, if it is not there."""
        if name not in dict(self.tables[table]):
            self.tables[table].append((name, kind))
            self._con.execute(f"alter table {table} add column {name} {_kind(kind)}")

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
            parsed = [name for parses, name in _TAKEN.findall(statement) if parses]
            self._read_json(statement, [f'"{name}"' for name in parsed], read)
            taken = ", ".join(
                f'there_stored("{name}")' if parses else f'"{name}"'
                for parses, name in _TAKEN.findall(statement)
            )
            self._con.execute(f"insert into {table} ({columns}) select {taken} {read}")
        [count] = self._con.execute(f"select count(*) {read}").fetchall()
        return count


def _kind(kind: str) -> str:
    return _KINDS.get(kind, kind.replace("NUMBER", "DECIMAL"))


@cache
def _translated(statement: str) -> str:
    statement = re.sub(r"IS_ROLE_IN_SESSION\('[^']*'\)", "TRUE", statement)
    statement = _ELEMENT.sub(r"\1", statement)
    for written, stands_for in _OF_JSON:
        statement = re.sub(written, stands_for, statement)
    [told] = sqlglot.transpile(statement, read="snowflake", write="duckdb")
    return told.replace("EPOCH_NANOSECOND FROM", "EPOCH FROM")


def read_there(text: str) -> tuple[str | None, str | None]:
    """Parse a text of JSON as Snowflake does: what it keeps of it, or what is wrong."""
    try:
        value = json.loads(
            text, object_pairs_hook=_once, parse_int=_number, parse_float=_number
        )
    except ValueError as error:
        return None, str(error)
    return _dumped(value), None


def turned(text: str | None) -> str:
    """Return the same value, its keys in another order."""
    return _dumped(_turned(json.loads(str(text))))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f'duplicate object attribute "{name}"')
        found[name] = value
    return {name: found[name] for name in sorted(found)}


def _number(text: str) -> int | float:
    whole = text.lstrip("-").isdigit() and len(text.lstrip("-")) <= _DIGITS_MAX
    return int(text) if whole else float(text)


def _turned(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _turned(value[name]) for name in reversed(value)}
    return [_turned(each) for each in value] if isinstance(value, list) else value


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
