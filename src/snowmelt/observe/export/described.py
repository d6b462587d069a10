"""What receivers are told of a project beside its events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snowmelt.transform.dbt_project import SERVICE_FOLDER
from snowmelt.transform.graph import Graph, read_graph

Columns = tuple[tuple[str, str], ...]
"""Names of columns with their types."""


@dataclass(frozen=True)
class Described:
    """A project: its name, where files arrive, its warehouse, its bronze tables.

    `stage` and `prefix`: a namespace and what stands before a file's name in it, as
    OpenLineage names datasets. `tables`: by pipe, the table (schema.name) with its
    columns.
    """

    name: str
    root: Path
    warehouse_path: Path
    stage: str
    prefix: str
    tables: Mapping[str, tuple[str, Columns]] = field(default_factory=dict)

    @property
    def database(self) -> str:
        """Return the name of the warehouse as the engine has it."""
        return self.warehouse_path.stem


class Models:
    """The dbt project as dbt saw it last, read again when that changed."""

    def __init__(self, root: Path) -> None:
        self._path = root / SERVICE_FOLDER / "target" / "manifest.json"
        self._read_at: tuple[int, int] | None = None
        self.graph = Graph((), ())
        self.entries: Mapping[str, Any] = {}

    def refresh(self) -> Models:
        """Read the manifest if it changed; one that cannot be read changes nothing."""
        try:
            stat = self._path.stat()
            if (stat.st_mtime_ns, stat.st_size) != self._read_at:
                manifest = json.loads(self._path.read_text())
                self.graph = read_graph(manifest)
                self.entries = manifest["nodes"]
                self._read_at = stat.st_mtime_ns, stat.st_size
        except (OSError, ValueError, KeyError):
            pass
        return self

    def columns(self, node_id: str) -> list[tuple[str, str | None, str | None]]:
        """Return name, type and description of the columns that are written down."""
        known = self.entries.get(node_id, {}).get("columns", {})
        return [
            (each["name"], each.get("data_type"), each.get("description") or None)
            for each in known.values()
        ]
