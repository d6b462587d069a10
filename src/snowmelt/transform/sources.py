"""The file that tells dbt what bronze holds, generated from the pipes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import yaml

from snowmelt.pipe.contract import Column
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.evolved import RESCUED
from snowmelt.transform.dbt_project import read_dbt_project
from snowmelt.transform.declared import DeclaredTable, declared_tables

SOURCES_FILE = Path("bronze/_sources.yml")
"""Where it is below the models."""
SOURCE = "bronze"
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


def sources_file(project_dir: Path) -> Path:
    """Return the generated file: below the first folder of models."""
    return project_dir / read_dbt_project(project_dir).model_paths[0] / SOURCES_FILE


def write_sources(project_dir: Path, pipes: Sequence[Pipe]) -> bool:
    """Write the sources file if it differs; say whether it did.

    `pipes` have the contracts as they evolved.
    """
    path = sources_file(project_dir)
    there = path.read_text() if path.exists() else ""
    text = sources_text(project_dir, pipes)
    if there == text:
        return False
    if not text:
        path.unlink()
        return True
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f".{path.name}.{threading.get_ident()}")
    written.write_text(text)
    written.replace(path)  # dbt may read it at any moment
    return True


def sources_text(project_dir: Path, pipes: Sequence[Pipe]) -> str:
    """Return what the sources file is to be; empty if there is to be none.

    Left out are tables that the project declares itself.
    """
    declared = declared_tables(project_dir, but=sources_file(project_dir))
    pipes = [pipe for pipe in pipes if not _is_declared(pipe, declared)]
    return render_sources(pipes) if pipes else ""


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
                | _meta_of(column)
                for column in pipe.contract.columns
            ]
            + [
                {"name": name, "description": meaning}
                for name, meaning in _LOAD_COLUMNS.items()
            ],
        }
        for pipe in sorted(pipes, key=lambda pipe: pipe.table_name)
    ]
    schema = pipes[0].schema_name if pipes else SOURCE
    source = {"name": SOURCE, "schema": schema, "tables": tables}
    return _HEAD + yaml.safe_dump(
        {"version": 2, "sources": [source]}, sort_keys=False, allow_unicode=True
    )


def _is_declared(pipe: Pipe, declared: Sequence[DeclaredTable]) -> bool:
    """Does the project declare a pipe's table, or something under our name for it?"""
    return any(
        each.is_table(pipe.schema_name, pipe.table_name)
        or (each.source, each.name) == (SOURCE, pipe.table_name)
        for each in declared
    )


def _description_of(column: Column) -> dict[str, str]:
    if column.name == RESCUED:
        return {"description": "What the contract does not name, as JSON."}
    return {"description": column.description} if column.description else {}


def _meta_of(column: Column) -> dict[str, dict[str, dict[str, object]]]:
    """Return a column's meta where dbt has it: below `config`."""
    if "meta" not in column.model_fields_set:
        return {}
    told = column.meta.model_dump(mode="json", exclude_none=True)
    return {"config": {"meta": told}}
