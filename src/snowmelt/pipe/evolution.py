"""What a file's columns mean for its pipe: decisions from names and types alone.

A file is compared with the effective contract: what the pipe's file says, and what
evolved since. Columns the contract has and the file lacks, columns it does not name,
and columns of another type are the difference; the mode decides what follows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from snowmelt.pipe.contract import ROWID, Column, Contract

NEW_COLUMNS_MAX = 100
NAME_LENGTH_MAX = 255
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBERS = ("integer", "bigint", "double", "decimal")
_TIMES = ("date", "timestamp", "timestamptz")
_NAMES_SHOWN_MAX = 20


class SchemaEvolution(StrEnum):
    """What happens when a file's columns are not those of the contract."""

    NONE = "none"
    ADD_NEW_COLUMNS = "add_new_columns"
    RESCUE = "rescue"
    FAIL_ON_NEW_COLUMNS = "fail_on_new_columns"
    HOLD = "hold"


@dataclass(frozen=True)
class FileColumn:
    """A column of a file: its name there, and the contract's word for its type.

    No type: the format has none, and what a value is shows when it is read. `samples`
    are a few of its values.
    """

    name: str
    type: str | None = None
    samples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Retyped:
    """A column whose values are none of the contract's type; what it could become."""

    name: str
    type: str
    proposed: str
    samples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Difference:
    """How a file's columns differ from the contract.

    `new`: those it does not name. `missing`: those it requires. An optional column
    that is missing is no difference: it is NULL. `matched`: does the file have any
    column of the contract?
    """

    new: tuple[FileColumn, ...] = ()
    missing: tuple[str, ...] = ()
    retyped: tuple[Retyped, ...] = ()
    matched: bool = True

    def __bool__(self) -> bool:
        return bool(self.new or self.missing or self.retyped)


class Action(StrEnum):
    """What is to be done with a file."""

    LOAD = "load"
    ADD = "add"
    RESCUE = "rescue"
    FAIL = "fail"
    HOLD = "hold"


@dataclass(frozen=True)
class Decision:
    """The action, the columns to add, and why a file fails or waits."""

    action: Action
    columns: tuple[Column, ...] = ()
    reason: str = ""


def compare(columns: Sequence[FileColumn], contract: Contract) -> Difference:
    """Compare a file's columns with a contract by name, whatever order and case."""
    wanted = {_root(column): column for column in contract.columns if _is_read(column)}
    there = {column.name.strip().lower(): column for column in columns}
    retyped = []
    for name, column in wanted.items():
        found = there.get(name)
        if found and found.type and not _readable(found.type, column):
            retyped.append(Retyped(column.name, column.type, "varchar", found.samples))
    return Difference(
        new=tuple(c for c in columns if c.name.strip().lower() not in wanted),
        missing=tuple(
            column.name
            for column in contract.columns
            if _is_read(column) and not column.optional and _root(column) not in there
        ),
        retyped=tuple(retyped),
        matched=not there.keys().isdisjoint(wanted),
    )


def decide(mode: SchemaEvolution, difference: Difference) -> Decision:
    """Choose what a difference means under a mode.

    Under `hold` every difference waits for a person. Otherwise a file without a
    required column, or without any, fails; values of another type are for its reader
    to refuse.
    """
    if mode is SchemaEvolution.HOLD and difference:
        return Decision(Action.HOLD, reason=describe(difference))
    if not difference.matched:
        return Decision(Action.FAIL, reason="it has none of the contract's columns")
    if difference.missing:
        return Decision(Action.FAIL, reason=describe_missing(difference.missing))
    if not difference.new or mode is SchemaEvolution.NONE:
        return Decision(Action.LOAD)
    if mode is SchemaEvolution.RESCUE:
        return Decision(Action.RESCUE)
    if mode is SchemaEvolution.ADD_NEW_COLUMNS:
        return _decide_to_add(difference.new)
    return Decision(
        Action.FAIL,
        reason=f"{_columns(difference.new)} not in the contract "
        "(schema_evolution: fail_on_new_columns)",
    )


def why_no_column(columns: Sequence[FileColumn]) -> str:
    """Say why these cannot be columns of a table; an empty text if they can.

    A name is taken as it stands or not at all: one made up for it would hide the
    mistake, and models would come to depend on it.
    """
    names = [column.name.strip() for column in columns]
    lower = [name.lower() for name in names]
    for name in names:
        problem = _problem_of(name, lower)
        if problem:
            return problem
    if len(names) > NEW_COLUMNS_MAX:
        return f"{len(names)} new columns are more than {NEW_COLUMNS_MAX}"
    return ""


def new_columns(columns: Sequence[FileColumn]) -> tuple[Column, ...]:
    """Return a file's new columns as columns of a contract: NULL in other files."""
    return tuple(
        Column(name=each.name.strip(), type=each.type or "varchar", optional=True)
        for each in columns
    )


def describe(difference: Difference) -> str:
    """Say in one sentence how a file differs from its contract."""
    parts = []
    if difference.new:
        parts.append(f"{_columns(difference.new)} not in the contract")
    if difference.missing:
        parts.append(describe_missing(difference.missing))
    parts += [
        f"no value of '{each.name}' is a valid {each.type}"
        for each in difference.retyped
    ]
    return "; ".join(parts)


def describe_missing(missing: Sequence[str], where: str = "the file") -> str:
    """Say that required columns are missing."""
    many = len(missing) > 1
    return (
        f"required column{'s' if many else ''} {_list(missing)} "
        f"{'are' if many else 'is'} not in {where}"
    )


def _decide_to_add(new: tuple[FileColumn, ...]) -> Decision:
    problem = why_no_column(new)
    if problem:
        return Decision(Action.FAIL, reason=f"columns cannot be added: {problem}")
    return Decision(Action.ADD, new_columns(new))


def _problem_of(name: str, lower: Sequence[str]) -> str:
    if not name:
        return "a column has no name"
    shown = name if len(name) <= 60 else name[:60] + "…"
    if len(name) > NAME_LENGTH_MAX:
        return f"the name '{shown}' is longer than {NAME_LENGTH_MAX} characters"
    if name.startswith("_"):
        return f"names that begin with _ are kept for load columns: '{shown}'"
    if name.lower() == ROWID:
        return f"'{shown}' is what the engine calls a row's place"
    if not _NAME.fullmatch(name):
        return f"'{shown}' is no name of a column: use letters, digits and _"
    if lower.count(name.lower()) > 1:
        return f"column '{shown}' is there twice, whatever the case"
    return ""


def _columns(columns: Sequence[FileColumn]) -> str:
    many = len(columns) > 1
    names = [column.name for column in columns]
    return f"column{'s' if many else ''} {_list(names)} {'are' if many else 'is'}"


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:_NAMES_SHOWN_MAX])
    more = len(names) - _NAMES_SHOWN_MAX
    return f"{shown} and {more} more" if more > 0 else shown


def _is_read(column: Column) -> bool:
    """Is a column looked for in files? Those that begin with _ are made by us."""
    return not column.name.startswith("_")


def _root(column: Column) -> str:
    """Return the name under which a column stands at a record's top."""
    if column.path is None:
        return column.name
    quoted = re.match(r'"([^"]+)"', column.path)
    return (quoted[1] if quoted else re.split(r"[.\[]", column.path)[0]).lower()


def _readable(found: str, column: Column) -> bool:
    """Can values of a file's type be tried, one by one, as the contract's?"""
    if column.path is not None or "varchar" in (found, column.type):
        return True
    kinds = [kind.partition("(")[0] for kind in (found, column.type)]
    return kinds[0] == kinds[1] or any(
        kinds[0] in family and kinds[1] in family for family in (_NUMBERS, _TIMES)
    )
