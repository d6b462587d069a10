"""SQL of tasks and alerts: cut into statements, and what of it is not portable. Pure.

Both engines get the same text, as they do of models; but no dbt stands behind it that
would put in macros, and nobody sees its errors before its first run. So more is asked
of it: functions that both know, divisions that cannot fail, an order of NULL that is
said, tables that are named as they are there. A line with the comment
`snowmelt: not portable` is left out, as in models.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.errors import ParseError, SqlglotError

from snowmelt.deploy.portable.arguments import beginnings, names_a_query
from snowmelt.deploy.portable.checking import IGNORE
from snowmelt.deploy.portable.functions import SHARED
from snowmelt.deploy.portable.linting import Finding, findings_in

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of what is refused
_KINDS = (
    *(exp.Query, exp.Insert, exp.Update, exp.Delete, exp.Merge),
    *(exp.Create, exp.Drop, exp.TruncateTable),
)
_MADE = ("TABLE", "VIEW")
_BEFORE_NO_FUNCTION = (
    *(TokenType.DOT, TokenType.INTO, TokenType.TABLE, TokenType.VIEW),
    *(TokenType.ALIAS, TokenType.JOIN),
)
_NO_FUNCTION = ("check", "conflict", "exclude", "group", "recursive", "within")
# What does the same where no macro of the dbt package can be called.
_INSTEAD = {
    "//": "trunc(a / nullif(b, 0)) is the same on both",
    "~": "like is the same on both",
    "regexp_matches": "like is the same on both",
    "regexp_full_match": "like is the same on both",
    "try_cast": "try_cast(a::varchar as …) is the same on both",
}
_NO_MACRO = "let a column of a model say it: no macro is called here"


class UnreadableError(Exception):
    """It is no SQL: in which line that is seen."""

    def __init__(self, line: int) -> None:
        super().__init__("it cannot be read as SQL")
        self.line = line


@dataclass(frozen=True)
class Named:
    """A table that SQL names, and in which line."""

    line: int
    schema: str
    table: str
    catalog: str = ""
    marks: frozenset[str] = frozenset()
    """Columns that begin with _ and can be of no other table: those of loads."""

    def __str__(self) -> str:
        return ".".join(
            part for part in (self.catalog, self.schema, self.table) if part
        )


@dataclass(frozen=True)
class Statements:
    """What one text of SQL has in it."""

    texts: tuple[str, ...]
    """Statements as they were written, without comments."""
    asks: bool
    """Is the last one a query?"""
    named: tuple[Named, ...]
    findings: tuple[Finding, ...]


def read_statements(sql: str) -> Statements:
    """Cut a text into its statements; say what is not portable.

    Raises UnreadableError for what is no SQL.
    """
    try:
        tokens = sqlglot.tokenize(sql, read="duckdb")
        parsed = sqlglot.parse(sql, read="duckdb")
    except (SqlglotError, RecursionError) as error:
        raise UnreadableError(_line_of(error)) from None
    _require_closed(tokens)
    trees = [e for e in parsed if e is not None and not isinstance(e, exp.Semicolon)]
    texts = list(_texts(sql, tokens))
    left_out = {
        number
        for number, line in enumerate(sql.splitlines(), start=1)
        if IGNORE in line
    }
    found = {
        *(_without_macros(each) for each in findings_in(sql)),
        *_words(tokens),
        *_kinds([line for line, _ in texts], trees),
    }
    return Statements(
        tuple(text for _, text in texts),
        bool(trees) and isinstance(trees[-1], exp.Query),
        tuple(_named(trees)),
        tuple(sorted(each for each in found if each.line not in left_out)),
    )


def _require_closed(tokens: Sequence[Token]) -> None:
    """Refuse what lacks a parenthesis: the parser lets some of it pass."""
    kinds = [token.token_type for token in tokens]
    if kinds.count(TokenType.L_PAREN) != kinds.count(TokenType.R_PAREN):
        raise UnreadableError(tokens[-1].line)


def _line_of(error: Exception) -> int:
    found = error.errors if isinstance(error, ParseError) else []
    return int(found[0].get("line") or 1) if found else 1


def _texts(sql: str, tokens: Sequence[Token]) -> Iterator[tuple[int, str]]:
    """Yield each statement, letter by letter but for comments, and its first line."""
    kept, line, last = "", 1, -1
    for token in tokens:
        if token.token_type == TokenType.SEMICOLON:
            if kept:
                yield line, kept
            kept = ""
        else:
            between = sql[last + 1 : token.start]
            if "--" in between or "/*" in between:
                between = "\n" if "\n" in between else " "
            line = line if kept else token.line
            kept += (between if kept else "") + sql[token.start : token.end + 1]
        last = token.end
    if kept:
        yield line, kept


def _named(trees: Sequence[exp.Expr]) -> Iterator[Named]:
    """Yield the tables that have a schema: others are made in the text itself."""
    for tree in trees:
        for table in tree.find_all(exp.Table):
            if table.db:
                line = int(table.this.meta.get("line", 1))
                names = (table.db, table.name, table.catalog)
                schema, name, catalog = (each.lower() for each in names)
                yield Named(line, schema, name, catalog, _marks(table))


def _marks(table: exp.Table) -> frozenset[str]:
    """Return the columns of loads that a query of this table alone asks for."""
    query = table.find_ancestor(exp.Select)
    if query is None or query.args.get("joins"):
        return frozenset()
    if not isinstance(table.parent, exp.From) or table.parent.parent is not query:
        return frozenset()
    return frozenset(
        column.name.lower()
        for column in query.find_all(exp.Column)
        if column.name.startswith("_") and column.find_ancestor(exp.Select) is query
    )


def _without_macros(finding: Finding) -> Finding:
    """Return what is said of a model's SQL as it is said where no macro is called."""
    instead = _INSTEAD.get(finding.found.lower(), "")
    parts = re.split(r"(?<=[.;:]) ", finding.why)
    kept = [each for each in parts if "snowmelt." not in each and "macro" not in each]
    if len(kept) == len(parts):
        return finding
    told = " ".join(kept).rstrip(".;:")
    return Finding(finding.line, finding.found, f"{told}; {instead or _NO_MACRO}")


def _words(tokens: Sequence[Token]) -> Iterator[Finding]:
    """Yield what only words tell: unknown functions, division, the order of NULL."""
    for at, token in enumerate(tokens):
        told = (
            _function(tokens, at)
            or _division(tokens, at)
            or _left_out(tokens, at)
            or _order(tokens, at)
        )
        if told:
            yield Finding(token.line, token.text, told)


def _type(tokens: Sequence[Token], at: int) -> TokenType | None:
    return tokens[at].token_type if 0 <= at < len(tokens) else None


def _function(tokens: Sequence[Token], at: int) -> str:
    if tokens[at].token_type != TokenType.VAR:
        return ""
    if _type(tokens, at + 1) != TokenType.L_PAREN:
        return ""
    if _type(tokens, at - 1) in _BEFORE_NO_FUNCTION or names_a_query(tokens, at):
        return ""
    name = tokens[at].text.lower()
    if name in SHARED or name in _NO_FUNCTION or findings_in(f"select {name}(a)"):
        return ""
    return f"{name} is not known to be the same on both engines"


def _division(tokens: Sequence[Token], at: int) -> str:
    """Say what is wrong with a division: by nothing it fails there, and not here."""
    if _calls(tokens, at, "mod"):
        below = [tokens[place] for place in beginnings(tokens, at + 1)][1:]
    elif tokens[at].token_type in (TokenType.SLASH, TokenType.MOD):
        below = list(tokens[at + 1 : at + 2])
    else:
        return ""
    if not below or below[0].text.lower() == "nullif":
        return ""
    if below[0].token_type == TokenType.NUMBER and below[0].text.strip("0.") != "":
        return ""
    return "divided by 0 it fails there, and not here: write nullif(…, 0) below it"


def _calls(tokens: Sequence[Token], at: int, *names: str) -> bool:
    is_called = _type(tokens, at + 1) == TokenType.L_PAREN
    return is_called and tokens[at].text.lower() in names


def _left_out(tokens: Sequence[Token], at: int) -> str:
    """Say what is wrong where a value that may be NULL is that of the first or last."""
    if not _calls(tokens, at, "max_by", "min_by"):
        return ""
    words = [tokens[place].text.lower() for place in beginnings(tokens, at + 1)]
    if words[0] == "coalesce" or "case" in words[1:2]:
        return ""
    return (
        "a row whose value is NULL is left out here; that it is there, too, nobody "
        "tells: let case when a is not null then b end decide"
    )


def _order(tokens: Sequence[Token], at: int) -> str:
    is_down = tokens[at].token_type == TokenType.DESC
    following = tokens[at + 1].text.lower() if at + 1 < len(tokens) else ""
    if is_down and following != "nulls":
        return "NULL comes first there, and last here: write desc nulls last"
    return ""


def _kinds(lines: Sequence[int], trees: Sequence[exp.Expr]) -> Iterator[Finding]:
    """Yield statements, and clauses of them, that are this engine's alone."""
    for line, tree in zip(lines, trees, strict=True):
        is_known = isinstance(tree, _KINDS)
        if isinstance(tree, exp.Create | exp.Drop) and tree.kind not in _MADE:
            is_known = False
        if not is_known:
            word = tree.sql(dialect="duckdb").split()[0]
            yield Finding(line, word, "it is no statement of a task on both engines")
        if tree.find(exp.TableSample) is not None:
            yield Finding(line, "SAMPLE", "samples are written otherwise there")
        for key, told in _CLAUSES.items():
            if isinstance(tree, exp.DML) and tree.args.get(key):
                yield Finding(line, key.upper(), told)


_CLAUSES = {
    "returning": "RETURNING is not known there",
    "conflict": "ON CONFLICT is not known there; MERGE is",
    "alternative": "INSERT OR … is not known there; MERGE is",
}
