"""The assets of a project, as dbt's manifest has them.

Keys are those that dagster-dbt gives by default, so that assets of both are the same:
https://docs.dagster.io/integrations/libraries/dbt/reference#customizing-asset-keys
(`default_asset_key_fn` of dagster-dbt 0.29.27).
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
    """One asset. `table`: the table of bronze that it is; of a model it is empty.

    `selector`: how dbt finds the model; models of several versions share a name.
    """

    key: Key
    name: str
    group: str
    description: str
    parents: tuple[Key, ...]
    table: str = ""
    selector: str = ""
    is_source: bool = False


def read_manifest(path: Path, bronze: str = "bronze") -> list[Made]:
    """Return every table that pipes load and every model, parents first.

    Raises FileNotFoundError that says how a manifest is made, and ValueError when two
    would be one asset.
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
    _require_distinct(path, keys)
    made = [_made(entries[each], keys, bronze) for each in sorted(keys)]
    by_key = {each.key: each for each in made}
    order = TopologicalSorter({each.key: each.parents for each in made})
    return [by_key[key] for key in order.static_order()]


def _require_distinct(path: Path, keys: Mapping[str, Key]) -> None:
    seen: dict[Key, str] = {}
    for unique_id, key in sorted(keys.items()):
        other = seen.setdefault(key, unique_id)
        if other != unique_id:
            raise ValueError(
                f"{path}: {other} and {unique_id} would both be the asset "
                f"{'/'.join(key)}. Give one another key: meta: dagster: asset_key"
            )


def _key(entry: Mapping[str, Any]) -> Key:
    config = entry.get("config") or {}
    meta = config.get("meta") or entry.get("meta") or {}
    if wanted := (meta.get("dagster") or {}).get("asset_key"):
        return (wanted,) if isinstance(wanted, str) else tuple(wanted)
    if entry["resource_type"] == "source":
        return (entry["source_name"], entry["name"])
    if entry.get("version"):
        return (entry["alias"],)
    schema = config.get("schema")
    return (schema, entry["name"]) if schema else (entry["name"],)


def _group(entry: Mapping[str, Any]) -> str:
    return str((entry.get("config") or {}).get("schema") or "models")


def _made(entry: Mapping[str, Any], keys: Mapping[str, Key], bronze: str) -> Made:
    name, version = entry["name"], entry.get("version")
    is_source = entry["resource_type"] == "source"
    is_loaded = is_source and entry["schema"].lower() == bronze.lower()
    parents = (entry.get("depends_on") or {}).get("nodes") or []
    return Made(
        key=_key(entry),
        name=name,
        group=bronze if is_source else _group(entry),
        description=entry.get("description") or "",
        parents=tuple(sorted({keys[each] for each in parents if each in keys})),
        table=(entry.get("identifier") or name) if is_loaded else "",
        selector=f"{name}.v{version}" if version else name,
        is_source=is_source,
    )
