"""Where a dbt project keeps what, as its dbt_project.yml says.

Read without dbt, which takes seconds to import. What is off in the file dbt itself
names when it reads it: here it counts as not said.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

DBT_PROJECT_FILE = "dbt_project.yml"
SERVICE_FOLDER = Path(".snowmelt/dbt")
"""Where the service's dbt has its profile, and writes what it writes."""
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The parser in C, ten times as fast, where it is built in."""


@dataclass(frozen=True)
class DbtProject:
    """The names and folders of a dbt project; folders are relative to it."""

    name: str = ""
    profile: str = ""
    model_paths: tuple[str, ...] = ("models",)
    seed_paths: tuple[str, ...] = ("seeds",)
    other_paths: tuple[str, ...] = ("macros", "snapshots", "tests", "analyses")
    packages_path: str = "dbt_packages"
    target_path: str = "target"

    @property
    def folders(self) -> tuple[str, ...]:
        """Return every folder that dbt reads; some may not be there."""
        named = (*self.model_paths, *self.seed_paths, *self.other_paths)
        return tuple(dict.fromkeys([*named, "packages", self.packages_path]))


def read_dbt_project(root: Path) -> DbtProject:
    """Return what a project's dbt_project.yml says, with dbt's defaults."""
    try:
        return _read(root.joinpath(DBT_PROJECT_FILE).read_bytes())
    except OSError:
        return DbtProject()


@lru_cache(maxsize=8)
def _read(content: bytes) -> DbtProject:
    said = read_mapping(content)
    usual = DbtProject()
    kinds = ("macro-paths", "snapshot-paths", "test-paths", "analysis-paths")
    others = [
        _paths(said.get(kind), (default,))
        for kind, default in zip(kinds, usual.other_paths, strict=True)
    ]
    return DbtProject(
        name=str(said.get("name") or ""),
        profile=str(said.get("profile") or ""),
        model_paths=_paths(said.get("model-paths"), usual.model_paths),
        seed_paths=_paths(said.get("seed-paths"), usual.seed_paths),
        other_paths=tuple(path for paths in others for path in paths),
        packages_path=str(said.get("packages-install-path") or usual.packages_path),
        target_path=str(said.get("target-path") or usual.target_path),
    )


def _paths(said: object, default: tuple[str, ...]) -> tuple[str, ...]:
    if isinstance(said, list) and said:
        return tuple(str(path) for path in said)
    return default


def read_mapping(content: bytes) -> dict[str, Any]:
    """Return YAML's keys and values, none of what is not YAML."""
    try:
        found = yaml.load(content, Loader=LOADER)
    except (yaml.YAMLError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, dict) else {}
