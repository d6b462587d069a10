"""The stage over the bucket, and how files in it are written."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from snowmelt.deploy.address import Value
from snowmelt.deploy.resource import Found, Mark, Traits
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.entity import Entity, Optioned, address_of
from snowmelt.deploy.snowflake.place import Schema
from snowmelt.deploy.snowflake.session import Row
from snowmelt.deploy.snowflake.sql import Word, Written


@dataclass(frozen=True)
class Stage(Optioned):
    """The landing place. Never replaced: its pipes would stop for good."""

    kind: ClassVar[str] = "stage"
    noun: ClassVar[str] = "STAGE"
    traits: ClassVar[Traits] = Traits(rank=30)

    url: str
    integration: str

    def options(self) -> Mapping[str, Written]:
        return {"URL": self.url, "STORAGE_INTEGRATION": Word(self.integration)}

    @staticmethod
    def found(row: Row) -> Found:
        """Read a row of SHOW STAGES."""
        name = sql.path_as_kept(row["database_name"], row["schema_name"], row["name"])
        schema = sql.path_as_kept(row["database_name"], row["schema_name"])
        return Found(
            address_of(Stage.kind, name),
            {"url": row["url"], "storage_integration": row["storage_integration"]},
            Mark.read(row["comment"]),
            Stage.traits,
            (address_of(Schema.kind, schema),),
            inside=address_of(Schema.kind, schema),
        )


@dataclass(frozen=True)
class FileFormat(Entity):
    """How files are written. Its pipes name it, so a change reaches them at once."""

    kind: ClassVar[str] = "file_format"
    noun: ClassVar[str] = "FILE FORMAT"
    traits: ClassVar[Traits] = Traits(rank=32)

    type: str
    given: tuple[tuple[str, Written], ...] = ()

    @property
    def properties(self) -> Mapping[str, Value]:
        return {"type": self.type} | {
            key.lower(): _compared(each) for key, each in self.given
        }

    def refuses(self, name: str, before: Value, after: Value) -> str:
        if name == "type":
            return "the type of a format cannot be changed"
        return ""

    def create(self, mark: Mark) -> list[str]:
        return [self._statement("CREATE FILE FORMAT IF NOT EXISTS", mark)]

    def change(
        self, names: Collection[str], mark: Mark, found: Found | None
    ) -> list[str]:
        return [self._statement("CREATE OR ALTER FILE FORMAT", mark)]

    def _statement(self, verb: str, mark: Mark) -> str:
        parts = [f"{verb} {self.name}", f"TYPE = {sql.value(Word(self.type))}"]
        parts += [sql.options({key: each}) for key, each in self.given]
        return sql.lines((*parts, sql.options({"COMMENT": str(mark)})))

    @staticmethod
    def found(row: Row) -> Found:
        """Read a row of SHOW FILE FORMATS; its options are JSON."""
        options: dict[str, Any] = json.loads(row["format_options"] or "{}")
        name = sql.path_as_kept(row["database_name"], row["schema_name"], row["name"])
        schema = sql.path_as_kept(row["database_name"], row["schema_name"])
        told = {key.lower(): _told(each) for key, each in options.items()}
        return Found(
            address_of(FileFormat.kind, name),
            {**told, "type": str(row["type"]).upper()},
            Mark.read(row["comment"]),
            FileFormat.traits,
            (address_of(Schema.kind, schema),),
            inside=address_of(Schema.kind, schema),
        )


def _compared(given: Written) -> Value:
    if isinstance(given, tuple):
        return tuple(str(part) for part in given)
    return str(given) if isinstance(given, str) else given


def _told(given: Any) -> Value:
    if isinstance(given, list):
        return tuple(str(part) for part in given)
    return given if isinstance(given, str | int | bool) or given is None else str(given)
