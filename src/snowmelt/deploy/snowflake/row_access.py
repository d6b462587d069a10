"""Who sees which rows: policies, and the tables of bronze that they are on.

A policy is deploy's; that it is on a table of bronze is, too. On models dbt puts it
(`row_access_policy:` of dbt-snowflake), and a policy that is on any of those stays.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from snowmelt.deploy.address import Address, Value
from snowmelt.deploy.resource import Found, Mark, Traits
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.entity import Entity, address_of
from snowmelt.deploy.snowflake.place import Schema
from snowmelt.deploy.snowflake.session import Row, Session
from snowmelt.deploy.snowflake.table import Table, found_by_mark


@dataclass(frozen=True)
class RowAccessPolicy(Entity):
    """Shows rows by the value of one column: to each role those of its values."""

    kind: ClassVar[str] = "row_access_policy"
    noun: ClassVar[str] = "ROW ACCESS POLICY"
    traits: ClassVar[Traits] = Traits(rank=33)

    type: str
    all_rows: tuple[str, ...]
    """Roles that see every row."""
    some_rows: tuple[tuple[str, tuple[str, ...]], ...]
    """A role, and the values of the rows that it sees."""

    @property
    def _expression(self) -> str:
        parts = [_has_role(role) for role in self.all_rows]
        for role, values in self.some_rows:
            listed = ", ".join(sql.text(each) for each in values)
            parts.append(f"({_has_role(role)} AND VAL::VARCHAR IN ({listed}))")
        return " OR ".join(parts)

    @property
    def properties(self) -> Mapping[str, Value]:
        return {"type": self.type, "body": self._expression}

    def refuses(self, name: str, before: Value, after: Value) -> str:
        return "the type of a policy cannot be changed" if name == "type" else ""

    def create(self, mark: Mark) -> list[str]:
        return [
            f"CREATE ROW ACCESS POLICY IF NOT EXISTS {self.name} AS "
            f"(VAL {self.type})\n  RETURNS BOOLEAN ->\n  {self._expression}\n  "
            f"{sql.options({'COMMENT': str(mark)})}"
        ]

    def change(
        self, names: Collection[str], mark: Mark, found: Found | None
    ) -> list[str]:
        alter = f"ALTER ROW ACCESS POLICY {self.name} SET"
        return [
            f"{alter} BODY -> {self._expression}",
            f"{alter} {sql.options({'COMMENT': str(mark)})}",
        ]

    @staticmethod
    def found(row: Row, described: Row) -> Found:
        """Read a row of SHOW ROW ACCESS POLICIES and one of DESC: `(VAL VARCHAR)`."""
        read = found_by_mark(RowAccessPolicy.kind, row, RowAccessPolicy.traits)
        kind = str(described["signature"]).strip("()").split()[-1].partition("(")[0]
        told: dict[str, Value] = {
            "type": kind,
            "body": sql.squeezed(str(described["body"])),
        }
        return replace(read, properties=told)


def _has_role(role: str) -> str:
    return f"IS_ROLE_IN_SESSION({sql.text(role.strip(chr(34)))})"


@dataclass(frozen=True)
class RowAccess(Entity):
    """That a policy is on a table of bronze. It bears the mark of the policy."""

    kind: ClassVar[str] = "row_access"
    noun: ClassVar[str] = ""
    traits: ClassVar[Traits] = Traits(rank=35)

    policy: str
    column: str

    @property
    def properties(self) -> Mapping[str, Value]:
        return {"policy": self.policy, "column": self.column}

    @property
    def _added(self) -> str:
        return f"ADD ROW ACCESS POLICY {self.policy} ON ({self.column})"

    def create(self, mark: Mark) -> list[str]:
        return [f"ALTER TABLE {self.name} {self._added}"]

    def change(
        self, names: Collection[str], mark: Mark, found: Found | None
    ) -> list[str]:
        """In one statement: at no moment is the table open to all."""
        before = found.properties["policy"] if found else self.policy
        dropped = f"DROP ROW ACCESS POLICY {before}"
        return [f"ALTER TABLE {self.name} {dropped}, {self._added}"]


def drop_row_access(found: Found) -> list[str]:
    """Return what takes a policy off a table, should that still be there."""
    policy = found.properties["policy"]
    table = found.address.name
    return [f"ALTER TABLE IF EXISTS {table} DROP ROW ACCESS POLICY {policy}"]


def references_of(policy: str, database: str) -> str:
    """Ask what a policy is on."""
    return (
        "SELECT REF_DATABASE_NAME, REF_SCHEMA_NAME, REF_ENTITY_NAME, "
        f"REF_ARG_COLUMN_NAMES FROM TABLE({database}.INFORMATION_SCHEMA."
        f"POLICY_REFERENCES(POLICY_NAME => {sql.text(policy)}))"
    )


def with_row_access(
    session: Session, database: str, found: Collection[Found], ours: Collection[Address]
) -> Iterator[Found]:
    """Yield what was found, and which policies of ours are on which tables of ours.

    A table needs that its policy is on it: one that is kept stays closed. A policy that
    is on something else as well, such as a model, is held by that.
    """
    on: dict[Address, Found] = {}
    holds: dict[Address, str] = {}
    for policy in (e for e in found if e.address.kind == RowAccessPolicy.kind):
        others = []
        for row in session.rows(references_of(policy.address.name, database)):
            path = (row[f"ref_{part}_name"] for part in ("database", "schema"))
            name = sql.path_as_kept(*path, row["ref_entity_name"])
            if address_of(Table.kind, name) in ours:
                on[address_of(Table.kind, name)] = _found(policy, name, row)
            else:
                others.append(name)
        if others:
            holds[policy.address] = f"it is on {', '.join(sorted(others))}"
    for each in found:
        attached = on.get(each.address)
        needs = (*each.needs, attached.address) if attached else each.needs
        told = holds.get(each.address, each.holds)
        yield replace(each, needs=needs, holds=told)
    yield from on.values()


def _found(policy: Found, table: str, row: Row) -> Found:
    columns = json.loads(str(row["ref_arg_column_names"]))
    return Found(
        address_of(RowAccess.kind, table),
        {"policy": policy.address.name, "column": sql.as_kept(str(columns[0]))},
        policy.mark.of_what_belongs_to_it if policy.mark else None,
        RowAccess.traits,
        (policy.address,),
        inside=address_of(Schema.kind, table.rpartition(".")[0]),
    )
