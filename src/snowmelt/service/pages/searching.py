"""Search: what of the project has a text in its name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from snowmelt.serve.commands import Document
from snowmelt.service.documents import SCHEMA_VERSION
from snowmelt.service.loop import Loop
from snowmelt.service.pages.catalog import catalog_document
from snowmelt.service.pages.dashboards import known_boards
from snowmelt.service.pages.noted import documentation
from snowmelt.transform.documentation import Documentation
from snowmelt.warehouse.port import Session

SHOWN_MAX = 20
_LAYERS = {"gold": 0, "silver": 1, "bronze": 3}
_COLUMNS = """
    with columns as (
        select
            lower(schema_name || '.' || table_name) as relation,
            column_name,
            lower(data_type)
        from duckdb_columns()
        where database_name = current_database() and not internal
    )

    select * from columns
    where contains(
            lower(case when $2 then relation || '.' else '' end || column_name), $1
        )
        and (starts_with($1, '_') or not starts_with(column_name, '_'))
"""


def search_document(loop: Loop, text: str | None) -> Document:
    """Return dashboards, tables, columns, pipes and tasks, the nearest names first.

    A column is also found by its table's name before it, with a dot between. Files are
    searched by `files`, which knows them all.
    """
    asked = (text or "").strip().lower()
    catalog = catalog_document(loop)
    found: dict[str, list[Document]] = {
        "dashboards": _readers(loop),
        "tables": [_table(each) for each in catalog["tables"]],
        "pipes": [{"name": each.name} for each in loop.parts.project.pipes],
        "tasks": _tasks(loop),
    }
    names: dict[str, Callable[[Document], Iterable[str]]] = {
        "dashboards": lambda each: (each["name"], each["title"]),
        "tables": lambda each: (each["key"], each["key"].partition(".")[2]),
    }
    for kind, things in found.items():
        found[kind] = nearest(asked, things, names.get(kind, lambda e: (e["name"],)))
    with loop.parts.warehouse.snapshot() as session:
        columns = _columns(session, asked, catalog["tables"], documentation(loop.parts))
    found["columns"] = nearest(
        asked, columns, lambda e: (e["column"], f"{e['table']}.{e['column']}")
    )
    return {
        "schema_version": SCHEMA_VERSION,
        "shell": catalog["shell"],
        "text": asked,
        "counts": {kind: len(things) for kind, things in found.items()},
        **{kind: things[:SHOWN_MAX] for kind, things in found.items()},
    }


def nearest(
    asked: str, things: list[Document], names: Callable[[Document], Iterable[str]]
) -> list[Document]:
    """Return what has a text in a name: those of that name, those that begin so.

    Of tables, of which names have a layer's sign before them, a word that begins so is
    as good, and those nearest to readers come first: gold before bronze. Columns of one
    name stand together.
    """
    word = re.compile(rf"(^|[._ -]){re.escape(asked)}")
    ranked: list[tuple[Any, ...]] = []
    for place, each in enumerate(things):
        lower = [str(name).lower() for name in names(each)]
        is_column = "column" in each
        ranks = [
            0
            if name == asked
            else 1
            if name.startswith(asked) or (word.search(name) and not is_column)
            else 2
            for name in lower
            if asked in name
        ]
        if asked and ranks:
            layer = _LAYERS.get(str(each.get("layer")), 2)
            own = lower[0].rpartition(".")[2]
            order = (own, layer) if is_column else (layer, own)
            ranked.append((min(ranks), *order, place))
    ranked.sort()
    return [{**things[at], "is_named": not rank} for rank, _, _, at in ranked]


def _readers(loop: Loop) -> list[Document]:
    """Return the dashboards, and what else a project says reads its models."""
    boards = [
        {
            "name": each.name,
            "title": each.title,
            "kind": "dashboard",
            "description": each.description,
        }
        for each in known_boards(loop)
    ]
    notes = documentation(loop.parts)
    return boards + [
        {
            "name": each.name,
            "title": each.label or each.name,
            "kind": "exposure",
            "description": each.description,
        }
        for each in (notes.exposures if notes else ())
    ]


def _table(each: Document) -> Document:
    kept = ("key", "layer", "kind", "description", "rows", "state", "told")
    return {name: each[name] for name in kept}


def _tasks(loop: Loop) -> list[Document]:
    tasks = loop.tasks.tasks
    return [{"name": name} for name in tasks.standings] if tasks is not None else []


def _columns(
    session: Session, asked: str, tables: list[Document], notes: Documentation | None
) -> list[Document]:
    """Return the columns of tables of the catalog that have a text in their names."""
    keys = {each["key"].lower(): each for each in tables}
    if not asked:
        return []
    found: list[Document] = []
    rows: list[tuple[Any, ...]] = session.rows(_COLUMNS, [asked, "." in asked])
    for key, column, kind in rows:
        table = keys.get(key)
        if table is None:
            continue
        note = notes.of_key(key) if notes else None
        said = note.columns.get(column.lower()) if note else None
        found.append(
            {
                "table": table["key"],
                "layer": table["layer"],
                "column": column,
                "type": kind,
                "description": said.description if said else "",
            }
        )
    return found
