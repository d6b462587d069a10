"""Where things are: warehouses, databases, schemas."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar

from snowmelt.deploy.address import Value
from snowmelt.deploy.resource import Found, Mark, Traits
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.entity import Entity, Optioned, address_of
from snowmelt.deploy.snowflake.session import Row
from snowmelt.deploy.snowflake.sql import Written

_SIZES = {
    "X-Small": "XSMALL",
    "Small": "SMALL",
    "Medium": "MEDIUM",
    "Large": "LARGE",
    "X-Large": "XLARGE",
    "2X-Large": "XXLARGE",
    "3X-Large": "XXXLARGE",
    "4X-Large": "X4LARGE",
    "5X-Large": "X5LARGE",
    "6X-Large": "X6LARGE",
}
_CLAIM = "; monitor "
_UNREAD_DAYS = 90
"""How long tables keep what a stream has not read, so that it does not become stale:
https://docs.snowflake.com/en/sql-reference/parameters#max-data-extension-time-in-days"""


@dataclass(frozen=True)
class Warehouse(Optioned):
    """Compute: how large, and how soon it stops to cost."""

    kind: ClassVar[str] = "warehouse"
    noun: ClassVar[str] = "WAREHOUSE"
    traits: ClassVar[Traits] = Traits(rank=10)

    size: str = "XSMALL"
    auto_suspend_seconds: int = 60

    def options(self) -> Mapping[str, Written]:
        return {
            "WAREHOUSE_SIZE": self.size,
            "AUTO_SUSPEND": self.auto_suspend_seconds,
            "AUTO_RESUME": True,
        }

    def create(self, mark: Mark) -> list[str]:
        first = [f"CREATE WAREHOUSE IF NOT EXISTS {self.name} WITH"]
        given = {**self.options(), "INITIALLY_SUSPENDED": True, "COMMENT": str(mark)}
        return [sql.lines([*first, *(sql.options({k: v}) for k, v in given.items())])]

    def change(
        self, names: Collection[str], mark: Mark, found: Found | None
    ) -> list[str]:
        claimed = found.outputs.get("monitor") if found else None
        chosen: dict[str, Written] = {
            key: each for key, each in self.options().items() if key.lower() in names
        }
        comment = f"{mark}{_CLAIM}{claimed}" if claimed else str(mark)
        given = {**chosen, "COMMENT": comment}
        return [f"ALTER WAREHOUSE {self.name} SET {sql.options(given)}"]

    @staticmethod
    def found(row: Row) -> Found:
        """Read a row of SHOW WAREHOUSES."""
        comment = str(row["comment"] or "")
        claimed = comment.partition(_CLAIM)[2]
        return Found(
            address_of(Warehouse.kind, sql.as_kept(row["name"])),
            {
                "warehouse_size": _SIZES.get(str(row["size"]), str(row["size"])),
                "auto_suspend": int(row["auto_suspend"] or 0),
                "auto_resume": str(row["auto_resume"]).lower() == "true",
            },
            Mark.read(comment),
            Warehouse.traits,
            outputs={"monitor": claimed} if claimed else {},
        )


@dataclass(frozen=True)
class ResourceMonitor(Entity):
    """A quota of credits. It bears no comment: the warehouse's names it as ours."""

    kind: ClassVar[str] = "resource_monitor"
    noun: ClassVar[str] = "RESOURCE MONITOR"
    traits: ClassVar[Traits] = Traits(rank=12)

    warehouse: Warehouse
    credit_quota: int = 0

    @property
    def properties(self) -> Mapping[str, Value]:
        return {
            "credit_quota": self.credit_quota,
            "frequency": "MONTHLY",
            "notify_at": "80%",
            "suspend_at": "100%",
            "warehouse": self.warehouse.name,
        }

    def create(self, mark: Mark) -> list[str]:
        owner = self.warehouse.mark(mark.owner)
        claim = sql.options({"COMMENT": f"{owner}{_CLAIM}{self.name}"})
        return [
            f"ALTER WAREHOUSE {self.warehouse.name} SET {claim}",
            f"CREATE RESOURCE MONITOR IF NOT EXISTS {self.name} WITH\n  "
            f"CREDIT_QUOTA = {self.credit_quota}\n  FREQUENCY = MONTHLY\n  "
            f"START_TIMESTAMP = IMMEDIATELY\n  {_TRIGGERS}",
            f"ALTER WAREHOUSE {self.warehouse.name} SET RESOURCE_MONITOR = {self.name}",
        ]

    def change(
        self, names: Collection[str], mark: Mark, found: Found | None
    ) -> list[str]:
        return [
            f"ALTER RESOURCE MONITOR {self.name} SET "
            f"CREDIT_QUOTA = {self.credit_quota} FREQUENCY = MONTHLY "
            f"START_TIMESTAMP = IMMEDIATELY {_TRIGGERS}",
            f"ALTER WAREHOUSE {self.warehouse.name} SET RESOURCE_MONITOR = {self.name}",
        ]

    @staticmethod
    def found(row: Row, warehouses: Collection[Row]) -> Found:
        """Read a row of SHOW RESOURCE MONITORS; ours is what our warehouse names."""
        name = sql.as_kept(row["name"])
        claiming = next(
            (
                each
                for each in warehouses
                if str(each["comment"] or "").partition(_CLAIM)[2] == name
            ),
            None,
        )
        users = [e for e in warehouses if e["resource_monitor"] == row["name"]]
        mark = Mark.read(claiming["comment"]) if claiming else None
        needs = [address_of(Warehouse.kind, sql.as_kept(e["name"])) for e in users]
        return Found(
            address_of(ResourceMonitor.kind, name),
            {
                "credit_quota": round(float(row["credit_quota"] or 0)),
                "frequency": row["frequency"],
                "notify_at": row["notify_at"],
                "suspend_at": row["suspend_at"],
                "warehouse": sql.as_kept(users[0]["name"]) if users else None,
            },
            mark.of_what_belongs_to_it if mark else None,
            ResourceMonitor.traits,
            tuple(needs),
        )


_TRIGGERS = "TRIGGERS ON 80 PERCENT DO NOTIFY ON 100 PERCENT DO SUSPEND"


@dataclass(frozen=True)
class Database(Optioned):
    """A database: never dropped unless it is named."""

    kind: ClassVar[str] = "database"
    noun: ClassVar[str] = "DATABASE"
    traits: ClassVar[Traits] = Traits(rank=14, keeps=True)

    retention_days: int = 1

    def options(self) -> Mapping[str, Written]:
        return {
            "DATA_RETENTION_TIME_IN_DAYS": self.retention_days,
            "MAX_DATA_EXTENSION_TIME_IN_DAYS": _UNREAD_DAYS,
        }

    @staticmethod
    def found(row: Row) -> Found:
        """Read a row of SHOW DATABASES; the digest has what that does not show."""
        return Found(
            address_of(Database.kind, sql.as_kept(row["name"])),
            {"data_retention_time_in_days": int(row["retention_time"] or 0)},
            Mark.read(row["comment"]),
            Database.traits,
            holds="the project's tables",
        )


@dataclass(frozen=True)
class Schema(Optioned):
    """A schema of the database; what is in it that is not ours keeps it."""

    kind: ClassVar[str] = "schema"
    noun: ClassVar[str] = "SCHEMA"
    traits: ClassVar[Traits] = Traits(rank=16)

    retention_days: int = 1

    def options(self) -> Mapping[str, Written]:
        return {"DATA_RETENTION_TIME_IN_DAYS": self.retention_days}

    @staticmethod
    def found(row: Row, strangers: Collection[str]) -> Found:
        """Read a row of SHOW SCHEMAS; `strangers` are tables and views not ours."""
        database = address_of(Database.kind, sql.as_kept(row["database_name"]))
        shown = ", ".join(sorted(strangers)[:3]) + (", …" if len(strangers) > 3 else "")
        noun = "table or view" if len(strangers) == 1 else "tables and views"
        held = f"{len(strangers)} {noun} that deploy did not make: {shown}"
        return Found(
            address_of(
                Schema.kind, sql.path_as_kept(row["database_name"], row["name"])
            ),
            {"data_retention_time_in_days": int(row["retention_time"] or 0)},
            Mark.read(row["comment"]),
            Schema.traits,
            (database,),
            holds=held if strangers else "",
            inside=database,
        )
