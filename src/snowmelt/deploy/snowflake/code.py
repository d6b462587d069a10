"""What runs inside the account: procedures, alerts, masking policies."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from snowmelt.deploy.address import Address, Value
from snowmelt.deploy.resource import Found, Mark, Traits
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.entity import Entity, address_of
from snowmelt.deploy.snowflake.session import Row
from snowmelt.deploy.snowflake.sql import Named, Written
from snowmelt.deploy.snowflake.table import found_by_mark


@dataclass(frozen=True)
class Procedure(Entity):
    """A stored procedure in SQL.

    There is no CREATE PROCEDURE IF NOT EXISTS: one that is there already is an error.
    https://docs.snowflake.com/en/sql-reference/sql/create-procedure
    """

    kind: ClassVar[str] = "procedure"
    noun: ClassVar[str] = "PROCEDURE"
    traits: ClassVar[Traits] = Traits(rank=46)

    arguments: tuple[tuple[str, str], ...]
    code: str
    rights: str = "OWNER"
    """Whose rights it has: OWNER, CALLER."""

    @property
    def address(self) -> Address:
        return address_of(self.kind, f"{self.name}({self._types})")

    @property
    def _types(self) -> str:
        return ", ".join(kind for _, kind in self.arguments)

    @property
    def properties(self) -> Mapping[str, Value]:
        return {"code": self.code.strip(), "execute_as": self.rights}

    def create(self, mark: Mark) -> list[str]:
        return self._statement("CREATE PROCEDURE", mark)

    def change(
        self, names: Collection[str], mark: Mark, found: Found | None
    ) -> list[str]:
        return self._statement("CREATE OR ALTER PROCEDURE", mark)

    def _statement(self, verb: str, mark: Mark) -> list[str]:
        given = ", ".join(f"{each} {kind}" for each, kind in self.arguments)
        comment = sql.options({"COMMENT": str(mark)})
        return [
            f"{verb} {self.name}({given})\n  RETURNS VARCHAR\n  "
            f"LANGUAGE SQL\n  {comment}\n  EXECUTE AS {self.rights}\nAS\n"
            f"{sql.body(self.code)}"
        ]

    def drop(self) -> list[str]:
        return [f"DROP PROCEDURE IF EXISTS {self.address.name}"]

    @staticmethod
    def found(row: Row, described: Iterable[Row] = ()) -> Found:
        """Read a row of SHOW PROCEDURES, `RUN(VARCHAR) RETURN VARCHAR`, and DESCRIBE.

        The code is not compared as it is told, since its white space may be another's:
        the digest has it. Nor are rights where the account does not tell them.
        """
        told = {
            **row,
            "database_name": row["catalog_name"],
            "comment": row["description"],
        }
        read = found_by_mark(Procedure.kind, told, Procedure.traits)
        arguments = str(row["arguments"]).partition(")")[0].partition("(")[2]
        types = ", ".join(part.strip() for part in arguments.split(",") if part.strip())
        address = address_of(Procedure.kind, f"{read.address.name}({types})")
        told_of = {str(each["property"]).lower(): each["value"] for each in described}
        rights = str(told_of.get("execute as") or "").upper()
        seen: dict[str, Value] = {"execute_as": rights} if rights else {}
        return Found(
            address, seen, read.mark, read.traits, read.needs, inside=read.inside
        )


@dataclass(frozen=True)
class Alert(Entity):
    """Looks at a condition by schedule, and tells of it."""

    kind: ClassVar[str] = "alert"
    noun: ClassVar[str] = "ALERT"
    traits: ClassVar[Traits] = Traits(rank=54, stops_first=True)

    warehouse: str
    minutes: int
    condition: str
    action: str

    @property
    def properties(self) -> Mapping[str, Value]:
        return {
            "warehouse": self.warehouse,
            "schedule": f"{self.minutes} MINUTE",
            "condition": sql.squeezed(self.condition),
            "action": sql.squeezed(self.action),
            "state": "started",
        }

    def create(self, mark: Mark) -> list[str]:
        given: dict[str, Written] = {
            "WAREHOUSE": Named(self.warehouse),
            "SCHEDULE": f"{self.minutes} MINUTE",
            "COMMENT": str(mark),
        }
        parts = (f"CREATE ALERT IF NOT EXISTS {self.name}",)
        head = sql.lines((*parts, *(sql.options({k: v}) for k, v in given.items())))
        rule = f"IF (EXISTS (\n    {self.condition}\n  ))\n  THEN {self.action}"
        return [f"{head}\n  {rule}", f"ALTER ALERT {self.name} RESUME"]

    def change(
        self, names: Collection[str], mark: Mark, found: Found | None
    ) -> list[str]:
        alter = f"ALTER ALERT {self.name}"
        statements = [f"{alter} SUSPEND"]
        if "condition" in names:
            statements.append(f"{alter} MODIFY CONDITION EXISTS ({self.condition})")
        if "action" in names:
            statements.append(f"{alter} MODIFY ACTION {self.action}")
        given: dict[str, Written] = {
            "WAREHOUSE": Named(self.warehouse),
            "SCHEDULE": f"{self.minutes} MINUTE",
            "COMMENT": str(mark),
        }
        return [*statements, f"{alter} SET {sql.options(given)}", f"{alter} RESUME"]

    @staticmethod
    def found(row: Row) -> Found:
        """Read a row of SHOW ALERTS; condition and action the digest has."""
        read = found_by_mark(Alert.kind, row, Alert.traits)
        told: dict[str, Value] = {
            "warehouse": sql.as_kept(row["warehouse"] or "?"),
            "schedule": str(row["schedule"]),
            "state": str(row["state"]).lower(),
        }
        return Found(
            read.address, told, read.mark, read.traits, read.needs, inside=read.inside
        )


@dataclass(frozen=True)
class MaskingPolicy(Entity):
    """Hides values of one type from all but some roles."""

    kind: ClassVar[str] = "masking_policy"
    noun: ClassVar[str] = "MASKING POLICY"
    traits: ClassVar[Traits] = Traits(rank=33)

    type: str
    roles: tuple[str, ...]
    hidden: str
    """What others see, as an expression."""

    @property
    def _expression(self) -> str:
        seeing = " OR ".join(
            f"IS_ROLE_IN_SESSION({sql.text(role.strip(chr(34)))})"
            for role in self.roles
        )
        return f"CASE WHEN {seeing} THEN VAL ELSE {self.hidden} END"

    @property
    def properties(self) -> Mapping[str, Value]:
        return {"type": self.type, "body": self._expression}

    def refuses(self, name: str, before: Value, after: Value) -> str:
        return "the type of a policy cannot be changed" if name == "type" else ""

    def create(self, mark: Mark) -> list[str]:
        return [
            f"CREATE MASKING POLICY IF NOT EXISTS {self.name} AS (VAL {self.type})\n  "
            f"RETURNS {self.type} ->\n  {self._expression}\n  "
            f"{sql.options({'COMMENT': str(mark)})}"
        ]

    def change(
        self, names: Collection[str], mark: Mark, found: Found | None
    ) -> list[str]:
        return [
            f"ALTER MASKING POLICY {self.name} SET BODY -> {self._expression}",
            f"ALTER MASKING POLICY {self.name} SET "
            f"{sql.options({'COMMENT': str(mark)})}",
        ]

    @staticmethod
    def found(row: Row, described: Row) -> Found:
        """Read a row of SHOW MASKING POLICIES and one of DESC MASKING POLICY."""
        read = found_by_mark(MaskingPolicy.kind, row, MaskingPolicy.traits)
        told: dict[str, Value] = {
            "type": str(described["return_type"]).partition("(")[0],
            "body": sql.squeezed(str(described["body"])),
        }
        return Found(
            read.address, told, read.mark, read.traits, read.needs, inside=read.inside
        )
