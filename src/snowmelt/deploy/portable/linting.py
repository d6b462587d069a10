"""Finds in SQL what Snowflake refuses, or takes otherwise than DuckDB. Pure.

Both engines get the same text, so it is not translated: it is read word by word as
DuckDB reads it, which holds for halves of statements, too, such as macros are. Where a
value's type decides, only what can be seen is said: nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.errors import ParseError, TokenError

from snowmelt.deploy.portable import casts
from snowmelt.deploy.portable.arguments import (
    beginnings,
    inside,
    names_a_query,
    told_of,
)
from snowmelt.deploy.portable.clauses import told_of_clause
from snowmelt.deploy.portable.names import HERE, THERE
from snowmelt.deploy.portable.words import (
    GUARDS,
    INSTEAD,
    OTHERWISE,
    REWRITTEN,
    UNKNOWN,
    UNKNOWN_BEGINNINGS,
)

_OPERATORS = {
    TokenType.DIV: "// is no operator there; snowmelt.quotient means the same on both",
    TokenType.ARROW: "-> takes JSON apart here alone",
    TokenType.DARROW: "->> takes JSON apart here alone",
    TokenType.TILDE: "~ is no operator there; snowmelt.full_match means the same",
    TokenType.CARET: "^ is no operator there; power is the same on both",
    TokenType.DSTAR: "** is no operator there; power is the same on both",
    TokenType.GLOB: "glob is no operator there; like is",
    TokenType.SIMILAR_TO: "similar to is not known there; snowmelt.full_match means "
    "the same on both",
    TokenType.WINDOW: "a WINDOW clause is not known there: write what is in it at each "
    "OVER",
    TokenType.SEMI: "a SEMI JOIN is not known there; EXISTS is",
    TokenType.ANTI: "an ANTI JOIN is not known there; NOT EXISTS is",
    TokenType.ASOF: "an ASOF JOIN is written otherwise there",
    TokenType.PIVOT: "PIVOT is written otherwise there",
    TokenType.UNPIVOT: "UNPIVOT is written otherwise there",
    TokenType.TABLE_SAMPLE: "samples are written otherwise there",
}
_AFTER_A_NAME = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.VAR}
_BEFORE_A_TABLE = (
    *(TokenType.ALIAS, TokenType.INTO, TokenType.TABLE, TokenType.VIEW),
    TokenType.UPDATE,
)
_TAKE_A_FROM = ("extract", "trim", "substring", "overlay")
_NUMBERS = (exp.Mul, exp.Add, exp.Sub, exp.Div, exp.IntDiv, exp.Mod, exp.Neg)


@dataclass(frozen=True, order=True)
class Finding:
    """What is not portable: in which line, and why."""

    line: int
    found: str
    why: str


def findings_in(
    sql: str, *, is_rewritten: bool = False, is_card: bool = True
) -> list[Finding]:
    """Return what is not portable in SQL, in the order in which it stands.

    `is_rewritten`: it is not sent as it is but by `writing`, which says some words
    otherwise there. `is_card`: then it names tables by ref() alone.
    """
    try:
        tokens = sqlglot.tokenize(sql, read="duckdb")
    except TokenError as error:
        return [Finding(1, "", f"it cannot be read: {error}")]
    reading = _Reading(sql, tokens, is_rewritten, is_rewritten and is_card)
    return sorted({*reading.words(), *_backslashes(sql, tokens)})


@dataclass(frozen=True)
class _Reading:
    """One text's words."""

    sql: str
    tokens: Sequence[Token]
    is_rewritten: bool
    is_card: bool

    def words(self) -> Iterator[Finding]:
        for at, token in enumerate(self.tokens):
            told = (
                self._function(at)
                or self._operator(at)
                or self._clause(at)
                or self._table(at)
                or self._name(at)
            )
            if told and self.is_rewritten:
                told = _without_macros(token.text.lower(), told)
            if told:
                yield Finding(token.line, token.text, told)

    def _type(self, at: int) -> TokenType | None:
        return self.tokens[at].token_type if 0 <= at < len(self.tokens) else None

    def _word(self, at: int) -> str:
        return self.tokens[at].text.lower() if 0 <= at < len(self.tokens) else ""

    def _function(self, at: int) -> str:
        """Say what is wrong with a function that is called here."""
        if self._type(at + 1) != TokenType.L_PAREN or self._is_quoted(at):
            return ""
        if self._type(at - 1) == TokenType.DOT:
            return ""
        name = self._word(at)
        if self.is_rewritten and name in REWRITTEN:
            return ""
        if name in OTHERWISE and not self._is_guarded(at, name):
            return OTHERWISE[name]
        if (told := _unknown(name)) and not self._names_columns(at):
            return told
        return self._special(at, name)

    def _special(self, at: int, name: str) -> str:
        if name == "try_cast" and _is_no_text(inside(self.sql, self.tokens, at + 1)):
            return (
                "try_cast takes texts alone there; snowmelt.try_decimal, or a cast to "
                "varchar inside, mean the same on both"
            )
        if name == "columns":
            return "COLUMNS(…) is not known there: name them"
        if name in ("greatest", "least") and self._may_be_null(at + 1):
            return (
                f"{name} is NULL there where one of its values is; here that one is "
                "left out. All but one of them have to be coalesce(…), or a constant"
            )
        if name == "filter" and self._type(at - 1) == TokenType.R_PAREN:
            return (
                "FILTER (WHERE …) is not known there: count(case when … then 1 end), "
                "sum(case when … then … end)"
            )
        return told_of(self.sql, self.tokens, at)

    def _is_guarded(self, at: int, name: str) -> bool:
        is_inside = self._type(at - 1) == TokenType.L_PAREN
        return is_inside and self._word(at - 2) == GUARDS.get(name)

    def _names_columns(self, at: int) -> bool:
        """Is this the name of a table, with those of its columns?"""
        return self._type(at - 1) in _BEFORE_A_TABLE or names_a_query(self.tokens, at)

    def _may_be_null(self, at: int) -> bool:
        """May two values or more between parentheses be NULL, as far as is seen?"""
        places = beginnings(self.tokens, at)
        return sum(not self._is_never_null(place) for place in places) > 1

    def _is_never_null(self, at: int) -> bool:
        if self._type(at) in (TokenType.NUMBER, TokenType.STRING):
            return True
        if self._word(at) in ("coalesce", "_load_seq", "_file", "count"):
            return True
        is_path = self._type(at + 1) == TokenType.DOT
        return is_path and self._word(at + 2) in ("_load_seq", "_file")

    def _operator(self, at: int) -> str:
        kind = self._type(at)
        if kind == TokenType.EQ and self.tokens[at].text == "==":
            return "== is no operator there; = is"
        if kind in (TokenType.SEMI, TokenType.ANTI) and self._word(at + 1) != "join":
            return ""
        if kind == TokenType.WINDOW and self._word(at + 2) != "as":
            return ""
        return _OPERATORS.get(kind, "") if kind else ""

    def _clause(self, at: int) -> str:
        kind, following = self._type(at), self._type(at + 1)
        if kind == TokenType.COMMA and following in (TokenType.FROM, TokenType.R_PAREN):
            return "a comma at the end of a list is refused there"
        if kind == TokenType.DISTINCT and following == TokenType.ON:
            return "DISTINCT ON is not known there; QUALIFY row_number() … = 1 is"
        if kind == TokenType.OVER and following not in (TokenType.L_PAREN, None):
            return "a named window is not known there: write it out after OVER"
        is_number = kind == TokenType.INTERVAL and following == TokenType.NUMBER
        if is_number and not self.is_rewritten:
            return "an interval's number is written as text there: interval '1 day'"
        if kind == TokenType.L_BRACE:
            return "DuckDB's structs are not known there"
        if kind == TokenType.FROM and self._begins_a_query(at):
            return "a query begins with SELECT there"
        if not self.is_rewritten and (told := told_of_clause(self._word, at)):
            return told
        return self._subscript(at)

    def _table(self, at: int) -> str:
        """Say what is wrong with a table that a card names itself, and not by ref()."""
        if not self.is_card or self._type(at + 1) != TokenType.DOT:
            return ""
        if self._type(at - 1) == TokenType.JOIN or self._is_clause(at - 1):
            return "of a target only what ref() names is read"
        return ""

    def _is_clause(self, at: int) -> bool:
        """Is this the FROM of a query? Not that of `distinct from`, nor of extract."""
        if self._type(at) != TokenType.FROM or self._type(at - 1) == TokenType.DISTINCT:
            return False
        depth = 0
        for place in range(at - 1, -1, -1):
            depth += self._type(place) == TokenType.R_PAREN
            depth -= self._type(place) == TokenType.L_PAREN
            if depth < 0:
                return self._word(place - 1) not in _TAKE_A_FROM
        return True

    def _begins_a_query(self, at: int) -> bool:
        """Is this FROM without a SELECT? Not that of extract, trim or substring."""
        if self._type(at - 1) not in (None, TokenType.L_PAREN):
            return False
        return self._word(at - 2) not in ("trim",)

    def _subscript(self, at: int) -> str:
        """Say what is wrong with a value in brackets: positions count from 0 there."""
        if self._type(at) != TokenType.L_BRACKET:
            return ""
        if self._type(at - 1) in _AFTER_A_NAME and not _is_type(self._word(at - 1)):
            return "what is in brackets is counted from 0 there, and from 1 here"
        if self._type(at + 1) == TokenType.R_BRACKET and _is_type(self._word(at - 1)):
            return "DuckDB's lists are not known there"
        return ""

    def _is_quoted(self, at: int) -> bool:
        return self.sql[self.tokens[at].start] == '"'

    def _name(self, at: int) -> str:
        token = self.tokens[at]
        if self._is_quoted(at):
            if re.search(r"[a-z]", token.text) and not self.is_rewritten:
                return (
                    "a name in quotes is kept letter by letter there, and columns are "
                    "in capitals"
                )
            return ""
        return casts.told_of(self.sql, self.tokens, at, is_rewritten=self.is_rewritten)


def _unknown(name: str) -> str:
    """Say that Snowflake does not know a function of DuckDB's, if that is so."""
    if name in THERE:
        return ""
    instead = UNKNOWN.get(name, "")
    for beginning, told in UNKNOWN_BEGINNINGS.items():
        if not instead and name.startswith(beginning):
            instead = told
    if not instead and name not in HERE:
        return ""
    return f"{name} is not known there" + (f": {instead}" if instead else "")


def _without_macros(found: str, told: str) -> str:
    """Return what to do where no macro can be called: in cards and queries."""
    if found in INSTEAD:
        return f"{told.partition(':')[0].partition(';')[0]}: {INSTEAD[found]}"
    if "macro" in told or "snowmelt." in told:
        told = told.partition(":")[0].partition(";")[0]
        return f"{told}; no macro is called here: let a column of a model say it"
    return told


def _is_type(word: str) -> bool:
    return word in (
        *("varchar", "text", "string", "integer", "int", "bigint", "double", "date"),
        *("boolean", "timestamp", "json"),
    )


def _is_no_text(inside: str) -> bool:
    """Is what TRY_CAST is given a number or a moment, as far as it can be seen?"""
    try:
        cast = sqlglot.parse_one(f"try_cast({inside})", read="duckdb")
    except (ParseError, TokenError):
        return False
    given = cast.this.unnest() if isinstance(cast, exp.TryCast) else None
    if isinstance(given, exp.Cast):
        return not given.to.is_type(*exp.DataType.TEXT_TYPES)
    if isinstance(given, exp.Literal):
        return not given.is_string
    return isinstance(given, _NUMBERS)


def _backslashes(sql: str, tokens: Sequence[Token]) -> Iterator[Finding]:
    for token in tokens:
        written = sql[token.start : token.end + 1]
        if token.token_type == TokenType.STRING and "\\" in written:
            yield Finding(
                token.line,
                written,
                "a backslash in a text begins an escape there; snowmelt.literal writes "
                "it for both",
            )
