"""The tables that a dbt project says it reads: its own sources."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snowmelt.transform.dbt_project import read_dbt_project, read_mapping


@dataclass(frozen=True)
class DeclaredTable:
    """A table of a source. It has no schema if dbt computes that."""

    source: str
    name: str
    table: str
    schema: str | None

    def is_table(self, schema: str, table: str) -> bool:
        """Is it this table, as far as its YAML tells?"""
        return self.table == table and self.schema in (None, schema)


def declared_tables(root: Path, but: Path) -> list[DeclaredTable]:
    """Return what the YAML below a project's models declares, `but` in one file."""
    found = []
    for folder in read_dbt_project(root).model_paths:
        for path in sorted((root / folder).rglob("*.y*ml")):
            content = path.read_bytes() if path != but and path.is_file() else b""
            if b"sources" in content:
                found += _declared(read_mapping(content))
    return found


def _declared(properties: dict[str, Any]) -> list[DeclaredTable]:
    return [
        DeclaredTable(
            source=str(source.get("name")),
            name=str(table.get("name")),
            table=str(table.get("identifier") or table.get("name")).lower(),
            schema=_plain(str(source.get("schema") or source.get("name"))),
        )
        for source in _mappings(properties.get("sources"))
        for table in _mappings(source.get("tables"))
    ]


def _plain(schema: str) -> str | None:
    return None if "{{" in schema else schema.lower()


def _mappings(found: object) -> list[dict[str, Any]]:
    if not isinstance(found, list):
        return []
    return [each for each in found if isinstance(each, dict)]
