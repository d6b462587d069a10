"""The assets of a project, as dbt's manifest has them.

Keys are those that dagster-dbt gives by default, so that assets of both are the same:
https://docs.dagster.io/integrations/libraries/dbt/reference#customizing-asset-keys
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

Key = tuple[str, ...]
_BUILT = ("model", "seed", "snapshot")


@dataclass(frozen=True)
class Made:
    """One asset. `pipe`: what loads it; of a model it is empty."""

    key: Key
    name: str
    group: str
    description: str
    parents: tuple[Key, ...]
    pipe: str = ""
    is_source: bool = False


def read_manifest(path: Path, bronze: str = "bronze") -> list[Made]:
    """Return every table that pipes load and every model, parents first.

    Raises FileNotFoundError that says how a manifest is made.
    """
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path}: no manifest is there. A run makes it: snowmelt run; or dbt parse"
        ) from None
    entries: dict[str, Any] = {**manifest["nodes"], **manifest["sources"]}
    keys = {
        unique_id: _key(entry)
        for unique_id, entry in entries.items()
        if entry["resource_type"] in (*_BUILT, "source")
    }
    made = [_made(entries[each], keys, bronze) for each in sorted(keys)]
    by_key = {each.key: each for each in made}
    order = TopologicalSorter({each.key: each.parents for each in made})
    return [by_key[key] for key in order.static_order()]


def _key(entry: Mapping[str, Any]) -> Key:
    if entry["resource_type"] == "source":
        return (entry["source_name"], entry["name"])
    schema = (entry.get("config") or {}).get("schema")
    return (schema, entry["name"]) if schema else (entry["name"],)


def _group(entry: Mapping[str, Any]) -> str:
    return str((entry.get("config") or {}).get("schema") or "models")


def _made(entry: Mapping[str, Any], keys: Mapping[str, Key], bronze: str) -> Made:
    is_source = entry["resource_type"] == "source"
    is_loaded = is_source and entry["schema"] == bronze
    parents = (entry.get("depends_on") or {}).get("nodes") or []
    return Made(
        key=_key(entry),
        name=entry["name"],
        group=bronze if is_source else _group(entry),
        description=entry.get("description") or "",
        parents=tuple(sorted({keys[each] for each in parents if each in keys})),
        pipe=entry["name"] if is_loaded else "",
        is_source=is_source,
    )
