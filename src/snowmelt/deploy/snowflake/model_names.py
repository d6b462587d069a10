"""Models in place of ref(), where no dbt has said yet where they will be.

A plan asks nobody, and needs no run before it: a model's schema is what its own
`config(schema=…)` says, or dbt_project.yml of the folders that it is in
(https://docs.getdbt.com/reference/resource-configs/schema).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from snowmelt.errors import ConfigError

_REF = re.compile(r"\{\{-?\s*ref\(\s*(['\"])(?P<model>\w+)\1\s*\)\s*-?\}\}")
_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_SCHEMA = re.compile(r"\bschema\s*=\s*(['\"])(\w+)\1")
_ALIAS = re.compile(r"\balias\s*=")


def with_models(query: str, root: Path) -> str:
    """Return a query with schema and table in place of each ref().

    Raises ConfigError for a model that is not there, or whose place cannot be told.
    """
    named = _REF.sub(lambda found: _relation(root, found["model"]), query)
    other = _JINJA.search(named)
    if other is not None:
        told = f"{other[0]} is not put in there: ref('model') alone is"
        raise ConfigError("", told, "Write what it stands for.")
    return named


def _relation(root: Path, model: str) -> str:
    found = next(root.glob(f"models/**/{model}.sql"), None)
    if found is None:
        raise ConfigError("", f"there is no model {model}")
    text = found.read_text(encoding="utf-8", errors="replace")
    said = _SCHEMA.search(text)
    folders = found.relative_to(root / "models").parts[:-1]
    schema = said[2] if said is not None else _schema_of(root, folders)
    if not schema or _ALIAS.search(text):
        told = f"where the model {model} will be is not told by dbt_project.yml"
        raise ConfigError("", told, "Name schema and table.")
    return f"{schema}.{model}"


def _schema_of(root: Path, folders: tuple[str, ...]) -> str:
    """Return what dbt_project.yml says of the innermost folder that it names."""
    try:
        told = yaml.safe_load((root / "dbt_project.yml").read_text())
    except (OSError, yaml.YAMLError):
        return ""
    level: Any = told
    schema = ""
    for key in ("models", told.get("name") if isinstance(told, dict) else "", *folders):
        level = level.get(key) if isinstance(level, dict) else None
        if isinstance(level, dict):
            schema = str(level.get("+schema", level.get("schema", schema)) or "")
    return schema if re.fullmatch(r"\w*", schema) else ""
