"""What has to be done to tables in Postgres so that they fit those of gold. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from snowmelt.serve.publish.described import GoldTable, Relation
from snowmelt.serve.publish.types import postgres_type
from snowmelt.warehouse.sql import identifier, literal

NAME_LENGTH_MAX = 63
"""Of a longer name Postgres keeps the beginning."""


@dataclass(frozen=True)
class Found:
    """A table as it is there: columns and types in order, constraints by name.

    `constraints`: a name → its definition as we wrote it into its comment.
    """

    columns: tuple[tuple[str, str], ...]
    constraints: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Constraint:
    """A key, or a reference from `column`."""

    name: str
    definition: str
    column: str = ""


@dataclass
class Change:
    """Statements before rows are sent, and after; empty if the table fits.

    `keys` come after the rows, `references` after all keys. `locks`: does one of them
    keep readers out until the commit? `fits`: do its columns fit as they are?
    """

    before: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    references: list[str] = field(default_factory=list)
    locks: bool = False
    fits: bool = True


def wanted_columns(table: GoldTable) -> tuple[tuple[str, str], ...]:
    """Return names and types of columns as Postgres has them."""
    return tuple((each.name, postgres_type(each.type)) for each in table.columns)


def relation(schema: str, table: GoldTable) -> str:
    """Return where a table is published."""
    return f"{identifier(schema)}.{identifier(table.name)}"


def change_of(
    schema: str,
    table: GoldTable,
    found: Found | None,
    constraints: Sequence[Constraint],
) -> Change:
    """Return what makes a table fit, and have just these constraints."""
    change = Change()
    target = relation(schema, table)
    wanted = wanted_columns(table)
    if found is None:
        columns = ", ".join(f"{identifier(n)} {kind}" for n, kind in wanted)
        change.before.append(f"create table {target} ({columns})")
        change.fits = False
        found = Found(wanted)
    refits = set(found.columns) != set(wanted)
    by_name = {each.name: each.definition for each in constraints}
    stays = {
        name
        for name, definition in found.constraints.items()
        if by_name.get(name) == definition and not refits
    }
    for name in sorted(found.constraints.keys() - stays):
        change.before.append(
            f"alter table {target} drop constraint if exists {identifier(name)} cascade"
        )
        change.locks = True
    _fit_columns(change, target, dict(found.columns), dict(wanted))
    for each in sorted(constraints, key=lambda c: c.name):
        if each.name not in stays:
            statements = change.references if each.column else change.keys
            statements += _adding(target, each)
            change.locks = True
    return change


def loses_key(
    table: GoldTable, found: Found | None, constraints: Sequence[Constraint]
) -> bool:
    """Is a key dropped, at least for the moment? Then references to it are, too."""
    if found is None:
        return False
    wanted = {each.definition for each in constraints}
    keys = {each for each in found.constraints.values() if not each.startswith("for")}
    refits = set(found.columns) != set(wanted_columns(table))
    return bool(keys) and (refits or not keys <= wanted)


def _adding(target: str, each: Constraint) -> list[str]:
    name = identifier(each.name)
    adding = [
        f"alter table {target} add constraint {name} {each.definition}",
        f"comment on constraint {name} on {target} is {literal(each.definition)}",
    ]
    if each.column:
        index = identifier(f"ix{each.name.removeprefix('fk')}")
        adding.append(
            f"create index if not exists {index} on {target} "
            f"({identifier(each.column)})"
        )
    return adding


def _fit_columns(
    change: Change, target: str, found: Mapping[str, str], wanted: Mapping[str, str]
) -> None:
    gone = [name for name, kind in found.items() if wanted.get(name) != kind]
    new = [name for name, kind in wanted.items() if found.get(name) != kind]
    if not gone and not new:
        return
    parts = [f"drop column {identifier(name)}" for name in gone]
    parts += [f"add column {identifier(name)} {wanted[name]}" for name in new]
    change.before += [
        f"delete from {target}",
        f"alter table {target} {', '.join(parts)}",
    ]
    change.locks, change.fits = True, False


def key_of(table: GoldTable) -> Constraint:
    """Return a table's primary key."""
    columns = ", ".join(identifier(each) for each in table.key)
    return Constraint(_name("pk", table.name, table.key), f"primary key ({columns})")


def unique_of(table: GoldTable, column: str) -> Constraint:
    """Return what says that no two rows have one value, for a reference to it."""
    definition = f"unique ({identifier(column)})"
    return Constraint(_name("uq", table.name, (column,)), definition)


def reference_of(schema: str, relation: Relation) -> Constraint:
    """Return a foreign key; rows of both tables come in any order until the commit."""
    column = relation.column
    definition = (
        f"foreign key ({identifier(column)}) references {identifier(schema)}."
        f"{identifier(relation.parent)} ({identifier(relation.parent_column)}) "
        "deferrable initially deferred"
    )
    return Constraint(_name("fk", relation.child, (column,)), definition, column)


def _name(kind: str, table: str, columns: Sequence[str]) -> str:
    """Return a name that is short enough, and another table's has another."""
    whole = f"{table}_{'_'.join(columns)}"
    digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
    head = whole.encode()[: NAME_LENGTH_MAX - 14].decode("utf-8", "ignore")
    return f"{kind}_{head}_{digest}"


def comments_of(schema: str, table: GoldTable) -> list[str]:
    """Return the statements that say what a table and its columns mean."""
    target = relation(schema, table)
    said = [f"comment on table {target} is {_text(table.description)}"]
    return said + [
        f"comment on column {target}.{identifier(each.name)} is "
        f"{_text(each.description)}"
        for each in table.columns
    ]


def _text(description: str) -> str:
    return literal(description.replace("\0", "")) if description else "null"
