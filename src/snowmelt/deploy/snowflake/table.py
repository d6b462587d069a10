"""Bronze: every row ever loaded, and the view of those that count."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from snowmelt.deploy.address import Address, Value
from snowmelt.deploy.resource import Found, Mark, Traits
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.entity import Entity, address_of
from snowmelt.deploy.snowflake.place import Schema
from snowmelt.deploy.snowflake.session import Row
from snowmelt.deploy.snowflake.sql import Written

_COLUMN = "column "
_POLICY = "masking of "
_DEFAULT_LENGTHS = re.compile(
    r"^(VARCHAR)\((?:16777216|134217728)\)$|^(TIMESTAMP_\w+|TIME)\(9\)$"
)
_NUMBER = re.compile(r"NUMBER\((\d+),(\d+)\)")
SYNONYMS = {"FLOAT": "FLOAT", "DOUBLE": "FLOAT", "TEXT": "VARCHAR", "STRING": "VARCHAR"}


@dataclass(frozen=True)
class TableColumn:
    """A column: its name as statements have it, its type, what it means."""

    name: str
    type: str
    nullable: bool = True
    description: str = ""
    policy: str = ""
    """The masking policy on it."""

    @property
    def shape(self) -> str:
        return self.type if self.nullable else f"{self.type} NOT NULL"

    @property
    def definition(self) -> str:
        """The column as CREATE TABLE has it."""
        comment = sql.options({"COMMENT": self.description}).replace(" = ", " ", 1)
        masking = f" WITH MASKING POLICY {self.policy}" if self.policy else ""
        return f"{self.name} {self.shape}{masking}" + (
            f" {comment}" if self.description else ""
        )


@dataclass(frozen=True)
class Table(Entity):
    """A table that is only added to. CREATE OR ALTER would drop columns it evolved."""

    kind: ClassVar[str] = "table"
    noun: ClassVar[str] = "TABLE"
    traits: ClassVar[Traits] = Traits(rank=34, keeps=True)

    columns: tuple[TableColumn, ...]
    change_tracking: bool = True
    evolves: bool = False

    @property
    def properties(self) -> Mapping[str, Value]:
        told: dict[str, Value] = {
            f"{_COLUMN}{each.name}": each.shape for each in self.columns
        }
        told |= {f"{_POLICY}{each.name}": each.policy for each in self.columns}
        return told | {
            "change_tracking": self.change_tracking,
            "enable_schema_evolution": self.evolves,
        }

    def refuses(self, name: str, before: Value, after: Value) -> str:
        if not name.startswith(_COLUMN):
            return ""
        column = name.removeprefix(_COLUMN)
        if before is None:
            if str(after).endswith(" NOT NULL"):
                return f"rows that are there have no {column}: make it nullable"
            return ""
        was, now = (str(each).removesuffix(" NOT NULL") for each in (before, after))
        if was == now or _widens(was, now):
            return ""
        return f"{column} is {was} and cannot become {now} where it stands"

    def create(self, mark: Mark) -> list[str]:
        listed = ",\n  ".join(each.definition for each in self.columns)
        return [
            f"CREATE TABLE IF NOT EXISTS {self.name} (\n  {listed}\n)\n"
            f"{sql.options(self._switches())}\n{sql.options({'COMMENT': str(mark)})}"
        ]

    def change(
        self, names: Collection[str], mark: Mark, found: Found | None
    ) -> list[str]:
        there = found.properties if found else {}
        statements: list[str] = []
        for column in self.columns:
            key = f"{_COLUMN}{column.name}"
            if key in names:
                statements += self._alter(column, there.get(key))
            if f"{_POLICY}{column.name}" in names and there.get(key) is not None:
                policy = f"SET MASKING POLICY {column.policy} FORCE"
                statements.append(
                    f"ALTER TABLE {self.name} ALTER COLUMN {column.name} "
                    + (policy if column.policy else "UNSET MASKING POLICY")
                )
        settings = [
            sql.options({key: each})
            for key, each in self._switches().items()
            if key.lower() in names
        ]
        settings.append(sql.options({"COMMENT": str(mark)}))
        return [*statements, *(f"ALTER TABLE {self.name} SET {e}" for e in settings)]

    def _alter(self, column: TableColumn, before: Value) -> list[str]:
        head = f"ALTER TABLE {self.name}"
        if before is None:
            return [f"{head} ADD COLUMN IF NOT EXISTS {column.definition}"]
        was_null = not str(before).endswith(" NOT NULL")
        statements = []
        if str(before).removesuffix(" NOT NULL") != column.type:
            statements.append(
                f"{head} ALTER COLUMN {column.name} SET DATA TYPE {column.type}"
            )
        if was_null != column.nullable:
            verb = "DROP" if column.nullable else "SET"
            statements.append(f"{head} ALTER COLUMN {column.name} {verb} NOT NULL")
        return statements

    def _switches(self) -> dict[str, Written]:
        return {
            "CHANGE_TRACKING": self.change_tracking,
            "ENABLE_SCHEMA_EVOLUTION": self.evolves,
        }

    @staticmethod
    def found(row: Row, described: Collection[Row]) -> Found:
        """Read a row of SHOW TABLES and what DESC TABLE says of its columns.

        Columns that nobody asked for are no difference: bronze keeps them.
        """
        name = sql.path_as_kept(row["database_name"], row["schema_name"], row["name"])
        schema = sql.path_as_kept(row["database_name"], row["schema_name"])
        told: dict[str, Value] = {}
        for each in described:
            column = sql.as_kept(each["name"])
            null = "" if str(each["null?"]).upper() == "Y" else " NOT NULL"
            told[f"{_COLUMN}{column}"] = f"{plain_type(each['type'])}{null}"
            told[f"{_POLICY}{column}"] = sql.rewritten(each.get("policy name") or "")
        rows = int(row["rows"] or 0)
        return Found(
            address_of(Table.kind, name),
            _Columns(
                {
                    **told,
                    "change_tracking": str(row["change_tracking"]).upper() == "ON",
                    "enable_schema_evolution": str(
                        row.get("enable_schema_evolution", "N")
                    ).upper()
                    in ("Y", "TRUE"),
                }
            ),
            Mark.read(row["comment"]),
            Table.traits,
            (address_of(Schema.kind, schema), *_policies(described)),
            holds=_count(rows),
            inside=address_of(Schema.kind, schema),
        )


def _count(rows: int) -> str:
    if not rows:
        return "a table without rows"
    return "1 row" if rows == 1 else f"{rows:,} rows"


class _Columns(dict[str, Value]):
    """Properties of a table: a column that is not among them is not there."""

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key) or str(key).startswith((_COLUMN, _POLICY))

    def __missing__(self, key: str) -> Value:
        return "" if key.startswith(_POLICY) else None


def _policies(described: Collection[Row]) -> list[Address]:
    """Return the masking policies on a table's columns: it needs them."""
    named = {sql.rewritten(e["policy name"]) for e in described if e.get("policy name")}
    return [address_of("masking_policy", each) for each in sorted(named)]


def plain_type(told: str) -> str:
    """Return a type as we write it: without the lengths that it has by itself."""
    name = told.upper().replace(" ", "")
    match = _DEFAULT_LENGTHS.match(name)
    name = (match[1] or match[2]) if match else name
    return SYNONYMS.get(name, name)


def _widens(was: str, now: str) -> bool:
    before, after = _NUMBER.fullmatch(was), _NUMBER.fullmatch(now)
    if before and after:
        return before[2] == after[2] and int(after[1]) >= int(before[1])
    return was.startswith("VARCHAR(") and now == "VARCHAR"


@dataclass(frozen=True)
class View(Entity):
    """A view. What it says is compared by the digest in its mark."""

    kind: ClassVar[str] = "view"
    noun: ClassVar[str] = "VIEW"
    traits: ClassVar[Traits] = Traits(rank=36)

    query: str

    @property
    def properties(self) -> Mapping[str, Value]:
        return {"query": sql.squeezed(self.query)}

    def create(self, mark: Mark) -> list[str]:
        return [self._statement("CREATE VIEW IF NOT EXISTS", mark)]

    def change(
        self, names: Collection[str], mark: Mark, found: Found | None
    ) -> list[str]:
        """Replace it: what a view asks cannot be altered.

        Policies and streams are on the table below it. See the usage notes of
        https://docs.snowflake.com/en/sql-reference/sql/create-view
        """
        return [self._statement("CREATE OR REPLACE VIEW", mark, "COPY GRANTS\n  ")]

    def _statement(self, verb: str, mark: Mark, more: str = "") -> str:
        comment = sql.options({"COMMENT": str(mark)})
        return f"{verb} {self.name}\n  {more}{comment}\nAS\n{self.query}"

    @staticmethod
    def found(row: Row) -> Found:
        """Read a row of SHOW VIEWS."""
        return found_by_mark(View.kind, row, View.traits)


def found_by_mark(kind: str, row: Row, traits: Traits) -> Found:
    """Read a row of something in a schema whose every property is in its digest."""
    name = sql.path_as_kept(row["database_name"], row["schema_name"], row["name"])
    schema = address_of(
        Schema.kind, sql.path_as_kept(row["database_name"], row["schema_name"])
    )
    return Found(
        address_of(kind, name),
        {},
        Mark.read(row["comment"]),
        traits,
        (schema,),
        inside=schema,
    )
