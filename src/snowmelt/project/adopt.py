"""Adopting a dbt project where it stands: what it lacks is added, no more."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from pydantic import ValidationError

from snowmelt.errors import ConfigError
from snowmelt.project.project import SETTINGS_FILE
from snowmelt.project.settings import LayersConfig, Settings
from snowmelt.project.yaml_file import load_model
from snowmelt.transform.dbt_project import (
    DBT_PROJECT_FILE,
    read_dbt_project,
    read_mapping,
)
from snowmelt.transform.declared import DeclaredTable, declared_tables
from snowmelt.transform.package import PACKAGE, write_package
from snowmelt.transform.package_list import is_listed, list_with_ours, packages_file
from snowmelt.transform.sources import sources_file

_SETTINGS = """\
# yaml-language-server: $schema=.snowmelt/schema/project.json
version: 1
name: {name}
landing: {{path: landing, settle: 2s}}

# bronze: the schema that pipes load into, and that your sources are in.
# default: the schema of models that name none, as `schema` in a dbt profile.
layers: {{bronze: {bronze}, default: {default}}}
"""
_ENV_VAR = re.compile(
    r"\{\{\s*env_var\(\s*['\"](\w+)['\"]\s*(?:,\s*['\"]([^'\"]*)['\"]\s*)?\)\s*\}\}"
)


@dataclass
class Adoption:
    """What came of it. `changed` are files of the project's own that got a line.

    `tables` are those that the project reads from bronze, and so wants pipes for;
    `elsewhere` those that it reads from other schemas.
    """

    settings: Settings
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    there: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)


def is_dbt_project(directory: Path) -> bool:
    """Does a dbt project stand here?"""
    return (directory / DBT_PROJECT_FILE).is_file()


def adopt_project(root: Path) -> Adoption:
    """Add to a dbt project what Snowmelt needs and it lacks.

    Raises ConfigError, before anything is written, for a project without a name, or
    with a list of packages that no line can be put into.
    """
    name = _name(root)
    packages = None if is_listed(root) else list_with_ours(root)
    sources = declared_tables(root, but=sources_file(root))
    if (root / SETTINGS_FILE).exists():
        adoption = Adoption(load_model(root / SETTINGS_FILE, Settings, SETTINGS_FILE))
    else:
        layers = LayersConfig(bronze=_bronze(sources), default=_default_schema(root))
        adoption = Adoption(Settings(version=1, name=name, layers=layers))
    text = _SETTINGS.format(name=name, **adoption.settings.layers.model_dump())
    _add_text(adoption, root, SETTINGS_FILE, text)
    _add_folders(adoption, root)
    _add_package(adoption, root)
    if packages is None:
        adoption.there.append(packages_file(root))
    else:
        _write(adoption, root, packages_file(root), packages)
    _ignore(adoption, root)
    bronze = adoption.settings.layers.bronze
    for source in sources:
        if source.schema in (None, bronze):
            adoption.tables.append(source.table)
        else:
            adoption.elsewhere.append(f"{source.schema}.{source.table}")
    return adoption


def _name(root: Path) -> str:
    said = read_dbt_project(root).name
    name = re.sub(r"[^a-z0-9_]", "_", said.lower()).lstrip("_0123456789")
    if not name:
        raise ConfigError(str(root / DBT_PROJECT_FILE), "it gives the project no name")
    return name


def _bronze(sources: Sequence[DeclaredTable]) -> str:
    """Return the schema that most sources are in."""
    counts = Counter(each.schema for each in sources if _is_layer(each.schema))
    return max(sorted(filter(None, counts)), key=counts.__getitem__, default="bronze")


def _default_schema(root: Path) -> str:
    """Return the schema that the project's own profile builds in by default."""
    path = root / "profiles.yml"
    profiles = read_mapping(path.read_bytes()) if path.is_file() else {}
    profile = profiles.get(_rendered(read_dbt_project(root).profile))
    outputs = profile.get("outputs") if isinstance(profile, dict) else None
    if not isinstance(outputs, dict) or not isinstance(profile, dict):
        return "main"
    target = outputs.get(_rendered(str(profile.get("target") or "default")))
    said = target.get("schema") if isinstance(target, dict) else None
    schema = _rendered(str(said or "main")).lower()
    return schema if _is_layer(schema) else "main"


def _is_layer(schema: str | None) -> bool:
    try:
        LayersConfig(bronze=schema or "")
    except ValidationError:
        return False
    return True


def _rendered(text: str) -> str:
    return _ENV_VAR.sub(lambda m: os.environ.get(m[1], m[2] or ""), text)


def _add_text(adoption: Adoption, root: Path, name: str, text: str) -> None:
    """Write a file that is not there."""
    if (root / name).exists():
        adoption.there.append(name)
    else:
        _write(adoption, root, name, text)


def _write(adoption: Adoption, root: Path, name: str, text: str) -> None:
    path = root / name
    (adoption.changed if path.exists() else adoption.added).append(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _add_folders(adoption: Adoption, root: Path) -> None:
    """Make the folder where files arrive, and the one of pipes with a word on them."""
    landing = adoption.settings.landing
    if landing.bucket_path is None:
        folder = root / landing.path
        known = adoption.there if folder.is_dir() else adoption.added
        known.append(f"{landing.path}/")
        folder.mkdir(parents=True, exist_ok=True)
    readme = files("snowmelt.project") / "templates" / "blank" / "pipes" / "README.md"
    if (root / "pipes").is_dir():
        adoption.there.append("pipes/")
    else:
        _write(adoption, root, "pipes/README.md", readme.read_text(encoding="utf-8"))


def _add_package(adoption: Adoption, root: Path) -> None:
    name = f"{PACKAGE.as_posix()}/"
    if (root / PACKAGE).exists():
        adoption.there.append(name)
    else:
        write_package(root)
        adoption.added.append(name)


def _ignore(adoption: Adoption, root: Path) -> None:
    """Have git ignore what is made here and is nobody's work."""
    path = root / ".gitignore"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    known = {line.strip().strip("/") for line in text.splitlines()}
    wanted = [".snowmelt/", f"{read_dbt_project(root).packages_path}/"]
    missing = [each for each in wanted if each.strip("/") not in known]
    if not missing:
        adoption.there.append(path.name)
        return
    end = "" if not text or text.endswith("\n") else "\n"
    lines = "".join(f"{each}\n" for each in missing)
    _write(adoption, root, path.name, f"{text}{end}{lines}")
