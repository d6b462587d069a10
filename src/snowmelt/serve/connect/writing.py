"""Connection files in a folder of somebody's: ours are written, theirs are left."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from snowmelt.serve.connect.endpoint import Endpoint, ModelTable
from snowmelt.serve.connect.files import pbids, tds
from snowmelt.serve.connect.tmdl import project_files

KNOWN = ".snowmelt-files.json"
"""Digests of what was written: what differs from them was edited."""


def all_files(endpoint: Endpoint, tables: Sequence[ModelTable]) -> dict[str, str]:
    """Return every connection file, by its path in a folder."""
    files = {"snowmelt.pbids": pbids(endpoint)}
    files |= {f"tableau/{_plain(t.name)}.tds": tds(endpoint, t) for t in tables}
    project = project_files(endpoint, tables)
    return files | {f"power-bi/{path}": text for path, text in project.items()}


def write_files(folder: Path, files: Mapping[str, str]) -> dict[str, list[str]]:
    """Write files; return which were `written`, are as they `were`, or are `edited`.

    A file that somebody edited, or made, stays as it is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = _known(folder)
    told: dict[str, list[str]] = {"written": [], "were": [], "edited": []}
    for name, text in files.items():
        path = folder / name
        there = path.read_text(encoding="utf-8") if path.is_file() else None
        if there == text:
            told["were"].append(name)
        elif there is not None and _digest(there) != known.get(name):
            told["edited"].append(name)
            continue
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            told["written"].append(name)
        known[name] = _digest(text)
    (folder / KNOWN).write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    return told


def _known(folder: Path) -> dict[str, str]:
    try:
        return dict(json.loads((folder / KNOWN).read_text()))
    except (OSError, ValueError):
        return {}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in name)
