"""The SQL of a file without its Jinja, letter by letter where it stands. Pure.

Expressions become names of the same length, statements and comments become space, so
that lines and columns stay. What is for one engine alone is left out: macros that are
called `duckdb__…` or `snowflake__…`, those called `default__…` where there is one for
Snowflake, and what stands in `{% if target.type == 'duckdb' %}` and its like.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

_JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_STATEMENT = re.compile(r"\{%[-+]?\s*(\w+)\s*(.*?)\s*[-+]?%\}", re.DOTALL)
_MACRO = re.compile(r"(\w+)\s*\(")
_FOR_ONE = re.compile(r"""target\.type\s*[!=]=\s*['"](?:duckdb|snowflake)['"]""")
_ENGINE = re.compile(
    r"""target\.type\s*(?P<sign>[!=]=)\s*['"](?P<engine>duckdb|snowflake)['"]"""
    r"""(?P<more>\s*and\b.*)?""",
    re.DOTALL,
)
_BLOCK_SET = re.compile(r"\w+\s*$")
_OPENS = {"if", "for", "macro", "call", "filter", "test", "materialization", "raw"}


def sql_of(text: str, macros_there: Collection[str] = ()) -> str:
    """Return a file's SQL that both engines get; other letters become space.

    `macros_there`: names of all macros of the project.
    """
    kept: list[str] = []
    at, blocks = 0, _Blocks(frozenset(macros_there))
    for match in _JINJA.finditer(text):
        between = text[at : match.start()]
        kept.append(_blank(between) if blocks.is_hidden else between)
        statement = _STATEMENT.fullmatch(match[0])
        if statement is not None:
            blocks.take(statement[1], statement[2])
        is_value = match[0].startswith("{{") and not blocks.is_hidden
        kept.append(_named(match[0]) if is_value else _blank(match[0]))
        at = match.end()
    rest = text[at:]
    return "".join([*kept, _blank(rest) if blocks.is_hidden else rest])


def macros_in(text: str) -> set[str]:
    """Return the names of the macros that a file defines."""
    return {
        name[1]
        for each in _STATEMENT.finditer(text)
        if each[1] == "macro" and (name := _MACRO.match(each[2]))
    }


def jinja_there(
    text: str, macros_there: Collection[str] = ()
) -> Iterator[tuple[int, str]]:
    """Yield the Jinja of a file that Snowflake gets, with the line that it begins in.

    It gets all of it but what is for DuckDB alone, and what is shown as it is.
    """
    open_blocks: list[_Open] = []
    for match in _JINJA.finditer(text):
        statement = _STATEMENT.fullmatch(match[0])
        word, rest = (statement[1], statement[2]) if statement else ("", "")
        if word.startswith("end") and open_blocks:
            open_blocks.pop()
        elif word in ("else", "elif") and open_blocks:
            open_blocks[-1].turn(_holds_there(rest) if word == "elif" else None)
        is_away = any(each.is_away for each in open_blocks)
        if not is_away and not match[0].startswith("{#"):
            yield text.count("\n", 0, match.start()) + 1, match[0]
        if word in _OPENS or (word == "set" and _BLOCK_SET.fullmatch(rest)):
            open_blocks.append(_opened(word, rest, macros_there))


@dataclass
class _Open:
    """A block that is open: is it for others, and was what is for us before it?"""

    is_away: bool
    is_settled: bool = False

    def turn(self, holds: bool | None) -> None:
        """Go on with what else there is."""
        self.is_away = self.is_settled or holds is False
        self.is_settled = self.is_settled or holds is True


def _opened(word: str, rest: str, macros_there: Collection[str]) -> _Open:
    if word == "if":
        holds = _holds_there(rest)
        return _Open(holds is False, holds is True)
    name = _MACRO.match(rest) if word == "macro" else None
    engine, _, plain = name[1].partition("__") if name else ("", "", "")
    is_others = bool(plain) and (
        engine == "duckdb"
        or (engine == "default" and f"snowflake__{plain}" in macros_there)
    )
    return _Open(is_others or word == "raw")


def _holds_there(condition: str) -> bool | None:
    """Does a condition hold on Snowflake? None where that is not known."""
    asked = _ENGINE.fullmatch(condition)
    if asked is None:
        return None
    holds = (asked["sign"] == "==") == (asked["engine"] == "snowflake")
    if asked["more"]:
        is_certain = not holds and not re.search(r"\bor\b", asked["more"])
        return False if is_certain else None
    return holds


class _Blocks:
    """The blocks that are open: of each whether what stands in it is hidden."""

    def __init__(self, macros: frozenset[str]) -> None:
        self._macros = macros
        self._open: list[tuple[str, bool]] = []

    @property
    def is_hidden(self) -> bool:
        return any(hidden for _, hidden in self._open)

    def take(self, word: str, rest: str) -> None:
        """Take the next statement."""
        if word in _OPENS or (word == "set" and _BLOCK_SET.fullmatch(rest)):
            self._open.append((word, self._hides(word, rest)))
        elif word in ("else", "elif") and self._open:
            opened, was_hidden = self._open.pop()
            # what else there is, is for the other engine alone
            self._open.append((opened, was_hidden or self._hides("if", rest)))
        elif word.startswith("end") and self._open:
            self._open.pop()

    def _hides(self, word: str, rest: str) -> bool:
        if word == "if":
            return _FOR_ONE.search(rest) is not None
        name = _MACRO.match(rest) if word == "macro" else None
        if name is None:
            return False
        engine, _, plain = name[1].partition("__")
        if engine == "default":
            return f"snowflake__{plain}" in self._macros
        return engine in ("duckdb", "snowflake") and bool(plain)


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def _named(text: str) -> str:
    """Return a name that takes as many letters; what follows it stays on its line."""
    lines = text.split("\n")
    return "\n".join(["j" * len(lines[0]), *(" " * len(each) for each in lines[1:])])
