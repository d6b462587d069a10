"""The file that tells dbt what bronze holds, generated from the pipes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import yaml

from snowmelt.pipe.contract import Column
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.evolved import RESCUED

SOURCES_FILE = Path("models/bronze/_sources.yml")
_HEAD = (
    "# Generated from pipes/ by snowmelt. Edits are lost: change the pipe instead.\n"
)
_LOAD_COLUMNS = {
    "_file": "The file's path in the landing folder.",
    "_file_row": "Which record of the file, from 1, refused ones counted.",
    "_load_seq": "Which load, in the order of commits.",
    "_version_at": "Which version: the date in the path, else the modification time.",
    "_loaded_at": "When the load was committed.",
    "_replayed_from": "The load that refused the record first, if it was replayed.",
}


def write_sources(project_dir: Path, pipes: Sequence[Pipe]) -> bool:
    """Write the sources file if it differs; say whether it did.

    `pipes` have the contracts as they evolved.
    """
    path = project_dir / SOURCES_FILE
    text = render_sources(pipes)
    if path.exists() and path.read_text() == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f".{path.name}.{threading.get_ident()}")
    written.write_text(text)
    written.replace(path)  # dbt may read it at any moment
    return True


def render_sources(pipes: Sequence[Pipe]) -> str:
    """Return the sources file's text: one table for each pipe."""
    tables = [
        {
            "name": pipe.table_name,
            "description": pipe.description
            or f"Live rows of files that match {pipe.pattern}.",
            "columns": [
                {"name": column.name, "data_type": column.type}
                | _description_of(column)
                for column in pipe.contract.columns
            ]
            + [
                {"name": name, "description": meaning}
                for name, meaning in _LOAD_COLUMNS.items()
            ],
        }
        for pipe in sorted(pipes, key=lambda pipe: pipe.table_name)
    ]
    source = {"name": "bronze", "schema": "bronze", "tables": tables}
    return _HEAD + yaml.safe_dump(
        {"version": 2, "sources": [source]}, sort_keys=False, allow_unicode=True
    )


def _description_of(column: Column) -> dict[str, str]:
    if column.name == RESCUED:
        return {"description": "What the contract does not name, as JSON."}
    return {"description": column.description} if column.description else {}
