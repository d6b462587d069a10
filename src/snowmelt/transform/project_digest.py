"""A fingerprint of everything but data that decides what dbt builds."""

from __future__ import annotations

import hashlib
import os
import re
from functools import cache
from importlib.metadata import version
from pathlib import Path

from snowmelt.transform.dbt_project import DBT_PROJECT_FILE, read_dbt_project
from snowmelt.transform.package import installed_package
from snowmelt.transform.profile import PROFILE_FILE

_FILES = (
    *(DBT_PROJECT_FILE, str(PROFILE_FILE), "packages.yml", "dependencies.yml"),
    "package-lock.yml",
)
_KINDS = (".sql", ".py", ".yml", ".yaml", ".csv", ".md")
_ENV_VAR = re.compile(rb"env_var\(\s*['\"](\w+)['\"]")
_SET_BY_US = (b"SNOWMELT_WAREHOUSE",)
_PRODUCTS = ("snowmelt", "dbt-core", "dbt-duckdb", "duckdb")


def project_digest(project_dir: Path) -> str:
    """Return the fingerprint of a dbt project.

    Of every file that dbt reads, the values of the environment variables that they
    name, and the versions of dbt, its adapter, the engine and Snowmelt.
    """
    digest = hashlib.sha256(_versions().encode())
    variables: set[bytes] = set()
    for path in _files(project_dir):
        content = path.read_bytes()
        digest.update(str(path.relative_to(project_dir)).encode() + b"\0")
        digest.update(content + b"\0")
        variables.update(_ENV_VAR.findall(content))
    for name in sorted(variables.difference(_SET_BY_US)):
        value = os.environb.get(name)
        digest.update(name + (b"\0" if value is None else b"=" + value) + b"\0")
    return digest.hexdigest()[:16]


@cache
def _versions() -> str:
    return " ".join(f"{product}=={version(product)}" for product in _PRODUCTS)


def _files(project_dir: Path) -> list[Path]:
    """Return the files, each once: what is installed of our package is a link."""
    found = [project_dir / name for name in _FILES]
    ours = installed_package(project_dir)
    for folder in read_dbt_project(project_dir).folders:
        for parent, folders, names in os.walk(project_dir / folder):
            folders[:] = [name for name in folders if Path(parent, name) != ours]
            found += [Path(parent, name) for name in names if name.endswith(_KINDS)]
    return sorted(path for path in found if path.is_file())
