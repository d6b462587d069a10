"""A database as the files of BI tools name it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Endpoint:
    """Where gold is published in Postgres. `user`: who reads there."""

    name: str
    host: str
    port: int
    database: str
    schema: str
    user: str

    @property
    def server(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class ModelColumn:
    """A column, its type as the warehouse writes it."""

    name: str
    type: str
    description: str


@dataclass(frozen=True)
class ModelTable:
    """A table of gold. `references`: own column, parent table, parent column."""

    name: str
    description: str
    key: tuple[str, ...]
    columns: tuple[ModelColumn, ...]
    references: tuple[tuple[str, str, str], ...]


def read_tables(document: Mapping[str, Any]) -> list[ModelTable]:
    """Return the tables of a document of `connections`."""
    return [_read_table(each) for each in document["tables"]]


def _read_table(each: Mapping[str, Any]) -> ModelTable:
    return ModelTable(
        name=each["name"].partition(".")[2],
        description=each["description"],
        key=tuple(each["key"]),
        columns=tuple(ModelColumn(**column) for column in each["columns"]),
        references=tuple(
            (r["column"], r["parent"].partition(".")[2], r["parent_column"])
            for r in each["references"]
        ),
    )


def read_endpoints(document: Mapping[str, Any]) -> Sequence[Endpoint]:
    """Return the databases of a document of `connections`."""
    names = ("name", "host", "port", "database", "schema", "user")
    return [
        Endpoint(**{name: each[name] for name in names})
        for each in document["postgres"]
    ]
