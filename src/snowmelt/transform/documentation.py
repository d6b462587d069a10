"""What a dbt project says of its models in words: read from the manifest.

Descriptions, owners, columns, the SQL as it is written. A run needs none of it, so it
is no part of the graph; people read it, and what is about persons is marked there.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from snowmelt.transform.dbt_project import SERVICE_FOLDER

_MADE = ("model", "seed", "snapshot")


@dataclass(frozen=True)
class ColumnNote:
    """What is written down of a column. `pii`: None where nothing is said."""

    name: str
    description: str = ""
    data_type: str = ""
    pii: bool | None = None


@dataclass(frozen=True)
class Note:
    """What is written down of a model, a seed, a source or a test."""

    id: str
    key: str
    description: str = ""
    owner: str = ""
    path: str = ""
    sql: str = ""
    is_ephemeral: bool = False
    columns: Mapping[str, ColumnNote] = field(default_factory=dict)
    """By their names in lower case."""


@dataclass(frozen=True)
class Exposure:
    """Who reads models outside of dbt, as a project says it; `models` by name."""

    name: str
    label: str
    type: str
    models: tuple[str, ...]
    description: str = ""
    owner: str = ""
    url: str = ""
    path: str = ""


@dataclass(frozen=True)
class Documentation:
    """A project's notes. `stamp` differs whenever they may.

    `exposures`: those that people wrote; dashboards of ours know themselves better.
    """

    stamp: tuple[int, int]
    notes: Mapping[str, Note]
    exposures: tuple[Exposure, ...] = ()

    def of_key(self, key: str) -> Note | None:
        """Return the note of a relation, by its key (schema.name)."""
        return self._by_key.get(key.lower())

    @cached_property
    def _by_key(self) -> Mapping[str, Note]:
        return {
            note.key.lower(): note
            for note in reversed(list(self.notes.values()))
            if note.key and not note.is_ephemeral
        }


def read_documentation(
    manifest: Mapping[str, Any], stamp: tuple[int, int] = (0, 0)
) -> Documentation:
    """Return what a manifest says in words."""
    notes = {}
    for entry in (*manifest["nodes"].values(), *manifest["sources"].values()):
        if entry["resource_type"] in (*_MADE, "source", "test"):
            note = _note(entry)
            notes[note.id] = note
    return Documentation(stamp, notes, _exposures(manifest))


def _exposures(manifest: Mapping[str, Any]) -> tuple[Exposure, ...]:
    """Return the exposures that were not written from dashboards."""
    found = []
    for entry in (manifest.get("exposures") or {}).values():
        if "snowmelt" in _meta(entry):
            continue
        owner = entry.get("owner") or {}
        ids = (entry.get("depends_on") or {}).get("nodes") or ()
        read = [manifest["nodes"][each] for each in ids if each in manifest["nodes"]]
        found.append(
            Exposure(
                name=entry["name"],
                label=entry.get("label") or "",
                type=entry.get("type") or "",
                models=tuple(sorted(each["name"] for each in read)),
                description=entry.get("description") or "",
                owner=str(owner.get("name") or owner.get("email") or ""),
                url=_web_address(entry.get("url")),
                path=entry.get("original_file_path") or "",
            )
        )
    return tuple(sorted(found, key=lambda each: each.name))


def _web_address(given: object) -> str:
    """Return an address that a browser may be led to; nothing for any other."""
    text = given.strip() if isinstance(given, str) else ""
    return text if re.fullmatch(r"https?://[^\s<>\"]+", text) else ""


def _note(entry: Mapping[str, Any]) -> Note:
    kind = entry["resource_type"]
    name = entry.get("identifier") or entry.get("alias") or entry["name"]
    columns = [_column(each) for each in (entry.get("columns") or {}).values()]
    meta = _meta(entry)
    return Note(
        id=entry["unique_id"],
        key="" if kind == "test" else f"{entry.get('schema')}.{name}",
        description=entry.get("description") or "",
        owner=str(meta.get("owner") or _owner_of_group(entry)),
        path=entry.get("original_file_path") or "",
        sql=entry.get("raw_code") or "",
        is_ephemeral=(entry.get("config") or {}).get("materialized") == "ephemeral",
        columns={each.name.lower(): each for each in columns},
    )


def _column(entry: Mapping[str, Any]) -> ColumnNote:
    return ColumnNote(
        entry["name"],
        entry.get("description") or "",
        entry.get("data_type") or "",
        _pii(_meta(entry).get("pii")),
    )


def _meta(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry's meta, where dbt has it today and where it had it before."""
    config = entry.get("config") or {}
    return {**(entry.get("meta") or {}), **(config.get("meta") or {})}


def _owner_of_group(entry: Mapping[str, Any]) -> str:
    return str(entry.get("group") or (entry.get("config") or {}).get("group") or "")


def _pii(given: object) -> bool | None:
    """Read what is said of persons; what is neither yes nor no is taken for a yes."""
    if given is None:
        return None
    if isinstance(given, str):
        return given.strip().lower() not in ("false", "no", "0", "off")
    return bool(given)


class KnownDocumentation:
    """The notes as dbt read them last, read again when dbt wrote its manifest.

    One that is just being written is not whole: then the notes before it hold.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / SERVICE_FOLDER / "target" / "manifest.json"
        self._lock = threading.Lock()
        self._known: Documentation | None = None

    def read(self) -> Documentation | None:
        """Return the notes; None before dbt has ever read the project."""
        with self._lock:
            try:
                stat = self._path.stat()
                stamp = stat.st_mtime_ns, stat.st_size
                if self._known is None or self._known.stamp != stamp:
                    manifest = json.loads(self._path.read_text())
                    self._known = read_documentation(manifest, stamp)
            except (OSError, ValueError, KeyError, TypeError):
                pass
            return self._known
