"""The tables that a query may read."""

from __future__ import annotations

from collections.abc import Sequence

from snowmelt.gold.relations import list_tables
from snowmelt.project.project import Project
from snowmelt.warehouse.port import Session
from snowmelt.warehouse.question import Known

HIDDEN = frozenset({("snowmelt", "stages"), ("snowmelt", "action_log")})
"""Of our own tables: those that say where things are, and what people typed."""
_KEPT_SCHEMAS = ("quarantine", "changes", "snowmelt")


def published_schemas(project: Project) -> list[str]:
    """Return the schemas that readers see."""
    default = project.settings.layers.default
    return ["gold", *([default] if default != "main" else [])]


def all_schemas(project: Project) -> list[str]:
    """Return the schemas that operators see, gold first."""
    layers = project.settings.layers
    first = ["gold", "silver", layers.bronze, layers.default]
    return list(dict.fromkeys([*first, *_KEPT_SCHEMAS]))


def readable_tables(
    session: Session, schemas: Sequence[str]
) -> list[tuple[str, str, int | None]]:
    """Return schema, name and about how many rows of what a query may read."""
    found = list_tables(session, schemas)
    return [each for each in found if each[:2] not in HIDDEN]


def known_tables(session: Session, schemas: Sequence[str], default: str) -> Known:
    """Return what a query may read."""
    tables = readable_tables(session, schemas)
    names = frozenset((schema.lower(), table.lower()) for schema, table, _ in tables)
    return Known(names, default if default in schemas else None)
