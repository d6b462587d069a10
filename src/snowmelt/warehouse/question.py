"""May this be asked by whoever can reach the pages? Decided on the engine's own tree.

The engine parses the text and gives its tree (`json_serialize_sql`): what is judged
is what would run, and not what another parser takes it for. Everything is refused that
is not known to be harmless: nodes, functions and tables are lists of what may be.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from snowmelt.errors import UsageError

FUNCTIONS = Path(__file__).with_name("question_functions.txt")
"""Functions that only compute. A test asks about those of another engine."""
TABLE_FUNCTIONS = frozenset(
    {"range", "generate_series", "unnest", "repeat", "json_each", "json_tree"}
)
_NODES = frozenset(
    {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
)
_TABLES = frozenset(
    {"BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EXPRESSION_LIST"}
    | {"EMPTY", "PIVOT"}
)
_MODIFIERS = frozenset(
    {"DISTINCT_MODIFIER", "ORDER_MODIFIER", "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER"}
)
_EXPRESSIONS = frozenset(
    {"CASE", "CAST", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "FUNCTION"}
    | {"OPERATOR", "STAR", "SUBQUERY", "WINDOW", "COLLATE", "LAMBDA", "BETWEEN"}
    | {"POSITIONAL_REFERENCE", "LAMBDA_REF", "TYPE"}
)
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OWN_NAMES = re.compile(r"(duckdb|pragma|sqlite|pg|information)_", re.IGNORECASE)


class QuestionError(UsageError):
    """A query that is not answered. `position`: where it is wrong, in characters."""

    def __init__(
        self, problem: str, remedy: str = "", position: int | None = None
    ) -> None:
        super().__init__("sql", problem, remedy)
        self.position = position


@dataclass(frozen=True)
class Known:
    """The tables that may be read, by (schema, table), and what plain names stand for.

    `default`: the schema of names without one; None if there is none to be read.
    """

    tables: frozenset[tuple[str, str]]
    default: str | None = None

    def has(self, schema: str, table: str) -> bool:
        """May this be read? The engine does not look at upper and lower case."""
        chosen = schema or self.default or ""
        return (chosen.lower(), table.lower()) in self.tables

    def near(self, schema: str, table: str) -> str:
        """Say which table may have been meant; empty if none is like it."""
        same = sorted(f"{s}.{t}" for s, t in self.tables if t == table.lower())
        names = [f"{s}.{t}" for s, t in sorted(self.tables)]
        asked = f"{schema}.{table}" if schema else table
        found = same or difflib.get_close_matches(asked.lower(), names, n=1, cutoff=0.5)
        return f"Did you mean {found[0]}?" if found else ""


@cache
def allowed_functions() -> frozenset[str]:
    """Return the functions that a query may call."""
    lines = FUNCTIONS.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("# "))


def require_question(tree: str, sql: str, known: Known) -> None:
    """Raise QuestionError unless a text is one query that only reads what it may.

    `tree`: what `json_serialize_sql` makes of it.
    """
    document = json.loads(tree)
    if document.get("error"):
        raise _of_parser(document, sql)
    statements = document["statements"]
    if len(statements) != 1:
        problem = "there is no query" if not statements else "ask one query at a time"
        raise QuestionError(problem)
    _Judge(sql, known).look(statements[0], frozenset())


def _of_parser(document: Mapping[str, Any], sql: str) -> QuestionError:
    message = str(document.get("error_message", ""))
    if document.get("error_type") == "not implemented" or "SELECT" in message:
        return QuestionError(
            "only a SELECT can be asked here",
            "It may begin with WITH or FROM; what writes, attaches or sets is refused.",
        )
    place = str(document.get("position") or "")
    return QuestionError(
        message or "this is no query",
        "",
        characters(sql, int(place)) if place.isdigit() else None,
    )


def characters(sql: str, offset: int) -> int:
    """Return how many characters come before a byte of a text."""
    return len(sql.encode()[:offset].decode("utf-8", "ignore"))


class _Judge:
    """Looks at every node of a tree once, with the names that are in scope there."""

    def __init__(self, sql: str, known: Known) -> None:
        self._sql = sql
        self._known = known

    def look(self, value: Any, scope: frozenset[str]) -> None:
        if isinstance(value, list):
            for each in value:
                self.look(each, scope)
        elif isinstance(value, dict):
            self._look_at(value, scope)

    def _look_at(self, value: Mapping[str, Any], scope: frozenset[str]) -> None:
        named = value.get("cte_map")
        if isinstance(named, dict):
            scope = self._with_ctes(named["map"], scope)
        kind = value.get("type")
        if isinstance(kind, str):
            scope = self._look_at_kind(value, kind, scope)
        if "function_name" in value:
            self._require_function(value)
        for key, each in value.items():
            if key != "cte_map":
                self.look(each, scope)

    def _look_at_kind(
        self, value: Mapping[str, Any], kind: str, scope: frozenset[str]
    ) -> frozenset[str]:
        """Judge a node; return what is in scope below it."""
        if "class" in value:
            if value["class"] not in _EXPRESSIONS:
                raise self._refused("this kind of expression", value)
        elif "query_location" in value and "alias" in value:
            self._look_at_table(value, kind, scope)
        elif kind.endswith("_NODE"):
            if kind not in _NODES:
                raise self._refused("this kind of query", value)
            if name := value.get("cte_name"):
                scope |= {self._cte_name(name)}
        elif kind.endswith("_MODIFIER") and kind not in _MODIFIERS:
            raise self._refused("this", value)
        return scope

    def _with_ctes(
        self, named: Iterable[Mapping[str, Any]], scope: frozenset[str]
    ) -> frozenset[str]:
        """Judge each query of WITH, which sees those before it; itself if recursive."""
        for each in named:
            name = self._cte_name(each["key"])
            query = each["value"]["query"]
            own = {name} if query["node"]["type"] == "RECURSIVE_CTE_NODE" else set()
            rest = {k: v for k, v in each["value"].items() if k != "query"}
            self.look(query, scope | own)
            self.look(rest, scope | own)
            scope |= {name}
        return scope

    def _cte_name(self, name: str) -> str:
        """Return a name of WITH. One of the engine's own would hide what is read."""
        if not _PLAIN_NAME.fullmatch(name) or _OWN_NAMES.match(name):
            raise QuestionError(
                f"'{name}' cannot be a name of WITH here",
                "Take letters, digits and underscores.",
                self._find(name),
            )
        return name.lower()

    def _look_at_table(
        self, value: Mapping[str, Any], kind: str, scope: frozenset[str]
    ) -> None:
        if kind not in _TABLES:
            raise self._refused("this", value)
        if kind == "BASE_TABLE":
            self._require_table(value, scope)
        elif kind == "TABLE_FUNCTION":
            name = str(value["function"].get("function_name", "")).lower()
            if name not in TABLE_FUNCTIONS:
                raise self._refused(f"{name}()", value)

    def _require_table(self, value: Mapping[str, Any], scope: frozenset[str]) -> None:
        schema, table = value.get("schema_name") or "", value["table_name"]
        is_named = not schema and table.lower() in scope
        if value.get("catalog_name") or value.get("at_clause"):
            raise self._refused("another catalog, or another time,", value)
        if not is_named and not self._known.has(schema, table):
            asked = f"{schema}.{table}" if schema else table
            raise QuestionError(
                f"there is no table '{asked}' that may be read here",
                self._known.near(schema, table),
                self._place(value),
            )

    def _require_function(self, value: Mapping[str, Any]) -> None:
        name = str(value["function_name"]).lower()
        own = (value.get("schema") or "").lower() in ("", "main")
        own = own and (value.get("catalog") or "").lower() in ("", "system")
        allowed = allowed_functions()
        if own and (name in allowed or name in TABLE_FUNCTIONS):
            return
        near = difflib.get_close_matches(name, allowed, n=1)
        raise QuestionError(
            f"there is no function '{name}' that may be called here",
            f"Did you mean {near[0]}?" if near else "",
            self._place(value),
        )

    def _refused(self, what: str, value: Mapping[str, Any]) -> QuestionError:
        return QuestionError(f"{what} cannot be asked for here", "", self._place(value))

    def _place(self, value: Mapping[str, Any]) -> int | None:
        offset = value.get("query_location")
        is_there = isinstance(offset, int) and 0 <= offset < len(self._sql.encode())
        return characters(self._sql, int(offset)) if is_there and offset else None

    def _find(self, name: str) -> int | None:
        found = self._sql.find(name)
        return found if found >= 0 else None


_LINE = re.compile(r"^LINE (\d+): (.*)\n( *)\^", re.MULTILINE)
_KIND = re.compile(r"^(Binder|Catalog|Parser|Conversion|Invalid Input) Error: ")
_HINT = re.compile(r"^(Candidate [a-z ]+: .*|Did you mean .*)$", re.MULTILINE)


def of_engine(message: str, sql: str) -> QuestionError:
    """Return what the engine says is wrong with a query, and where."""
    text = message.strip()
    found = _LINE.search(text)
    position = _position(found, sql) if found else None
    said = text[: found.start()].strip() if found else text
    hints = [_hint(each) for each in _HINT.findall(said)]
    problem = _KIND.sub("", _HINT.sub("", said).strip())
    return QuestionError(problem[:2000], " ".join(hints)[:500], position)


def _hint(said: str) -> str:
    """Return what the engine offers instead, the nearest first."""
    names = re.findall(r'"([^"]+)"', said)
    if not names:
        return said.strip()
    others = f" Others are {', '.join(names[1:5])}." if names[1:] else ""
    return f"Did you mean {names[0]}?{others}"


def _position(found: re.Match[str], sql: str) -> int | None:
    """Return the place that an engine's caret points at, in characters."""
    number, shown = int(found[1]), found[2]
    column = len(found[3]) - len(f"LINE {number}: ")
    lines = sql.split("\n")
    if number > len(lines):
        return None
    if shown.startswith("..."):
        part = shown.removeprefix("...").removesuffix("...")
        at = lines[number - 1].find(part)
        if at < 0:
            return None
        column += at - len("...")
    before = sum(len(line) + 1 for line in lines[: number - 1])
    return before + max(column, 0)
