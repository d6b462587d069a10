"""The DBT PROJECT of an account: the project's models, as tasks there run them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from snowmelt.deploy.address import Address, Value
from snowmelt.deploy.resource import Found, Mark, Traits
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.dbt_files import (
    THREADS,
    Files,
    digest_of_files,
    lacking_packages,
    outside,
    patterns_of,
    profile_text,
    read_files,
    write_files,
)
from snowmelt.deploy.snowflake.entity import Entity
from snowmelt.deploy.snowflake.env_vars import note_env_vars
from snowmelt.deploy.snowflake.places import Findings
from snowmelt.deploy.snowflake.session import Row
from snowmelt.deploy.snowflake.sql import Written
from snowmelt.deploy.snowflake.table import found_by_mark
from snowmelt.deploy.snowflake.task_place import Place
from snowmelt.pipe.definition import Pipe
from snowmelt.project.project import Project
from snowmelt.transform.dbt_project import DBT_PROJECT_FILE, read_dbt_project
from snowmelt.transform.package_list import packages_file

STAGE = "dbt_project_files"
_ENV_VAR = re.compile(
    r"\{\{\s*env_var\(\s*(['\"])\w+\1\s*,\s*(['\"])(?P<default>\w+)\2\s*\)\s*\}\}"
)
_PLAIN = re.compile(r"@[\w./]+")
_CONTINUED = "Or write runner: service in the target: dbt is then run from a machine."


@dataclass(frozen=True)
class DbtProject(Entity):
    """A dbt project, made anew of a folder's files whenever one of them is otherwise.

    Its files go over a stage that is gone with the session, as `snow dbt deploy` does
    it. It is replaced, in one transaction of the account's: adding a version and
    deploying to the one that is live are words of different accounts, until the
    bundle 2026_06 is on in all of them.
    https://docs.snowflake.com/en/sql-reference/sql/create-dbt-project
    https://docs.snowflake.com/en/release-notes/bcr-bundles/2026_06/bcr-2362
    """

    kind: ClassVar[str] = "dbt_project"
    noun: ClassVar[str] = "DBT PROJECT"
    traits: ClassVar[Traits] = Traits(rank=45)

    pipes: tuple[Pipe, ...]
    """What bronze is told to hold."""
    place: Place
    profiles: str
    """The text of its profiles.yml."""
    schema: str
    """Of models that name none. dbt asks for it before it makes any."""

    @property
    def folder(self) -> Path:
        """Where its files lie before they are sent, seen from the project."""
        return Path(".snowmelt", "targets", self.place.target, "dbt_project")

    @cached_property
    def files(self) -> Files:
        return read_files(self.place.root, self.profiles, self.pipes)

    @property
    def properties(self) -> Mapping[str, Value]:
        return {
            "files": f"{len(self.files)} files, {digest_of_files(self.files)}",
            "dbt_version": self.place.dbt_version,
            "default_target": self.place.target,
        }

    def create(self, mark: Mark) -> list[str]:
        return self.sent("CREATE DBT PROJECT", mark, self.folder)

    def change(
        self, names: Collection[str], mark: Mark, found: Found | None
    ) -> list[str]:
        return self.sent("CREATE OR REPLACE DBT PROJECT", mark, self.folder)

    def sent(self, verb: str, mark: Mark, folder: Path) -> list[str]:
        """Return what sends the files of a folder and makes the project of them."""
        stage = self.place.path(STAGE)
        options: dict[str, Written] = {
            "DBT_VERSION": self.place.dbt_version,
            "DEFAULT_TARGET": self.place.target,
            "COMMENT": str(mark),
        }
        made = (f"{verb} {self.name}", f"FROM {sql.text(f'@{stage}')}")
        return [
            f"CREATE SCHEMA IF NOT EXISTS {self.schema}",
            f"CREATE OR REPLACE TEMPORARY STAGE {stage}",
            *(
                f"PUT {sql.text(f'file://{folder / pattern}')} "
                f"{_place_on(stage, below)}"
                " AUTO_COMPRESS = FALSE OVERWRITE = TRUE"
                for pattern, below in patterns_of(self.files)
            ),
            f"USE WAREHOUSE {self.place.warehouse}",
            sql.lines((*made, *(sql.options({k: v}) for k, v in options.items()))),
            f"DROP STAGE IF EXISTS {stage}",
        ]

    def send(self, *, is_new: bool, mark: Mark) -> list[str]:
        """Write its folder here, and return what makes the project of that."""
        verb = "CREATE" if is_new else "CREATE OR REPLACE"
        return self.sent(f"{verb} {self.noun}", mark, self.write())

    def write(self) -> Path:
        """Write its folder here, and return where."""
        folder = self.place.root.absolute() / self.folder
        write_files(self.files, folder)
        return folder

    @staticmethod
    def found(row: Row) -> Found:
        """Read a row of SHOW DBT PROJECTS; its files the digest has.

        https://docs.snowflake.com/en/sql-reference/sql/show-dbt-projects
        """
        read = found_by_mark(DbtProject.kind, row, DbtProject.traits)
        told: dict[str, Value] = {
            key: str(row[key]).lower()
            for key in ("dbt_version", "default_target")
            if row.get(key)
        }
        return replace(read, properties=told)


def _place_on(stage: str, below: str) -> str:
    """Write a folder of a stage: in quotes only where it has to be.

    https://docs.snowflake.com/en/sql-reference/sql/put
    """
    place = f"@{stage}/{below}".rstrip("/")
    return place if _PLAIN.fullmatch(place) else sql.text(place)


def map_dbt_project(
    project: Project,
    place: Place,
    role: str,
    needs: tuple[Address, ...],
    findings: Findings,
) -> DbtProject:
    """Return the DBT PROJECT of a project's folder; refuse what has none to send."""
    schema = project.settings.layers.default
    _require_whole(place.root, findings)
    said = read_dbt_project(place.root).profile or "snowmelt"
    profile = _ENV_VAR.sub(lambda given: given["default"], said)
    if "{{" in profile:
        findings.refuse(
            DBT_PROJECT_FILE,
            "its profile is named by a variable, and there is none in an account",
            f"Give it a default: env_var('NAME', 'snowmelt'). {_CONTINUED}",
        )
    output = {
        "role": role.strip('"'),
        "warehouse": place.warehouse.strip('"'),
        "database": place.database,
        "schema": schema,
        "threads": THREADS,
    }
    made = DbtProject(
        place.path(place.dbt_project),
        project.pipes,
        place,
        profile_text(profile, place.target, output),
        sql.path(place.database, schema),
        needs=needs,
    )
    packages = read_dbt_project(place.root).packages_path
    note_env_vars(made.files, ("packages/", f"{packages}/"), findings)
    return made


def _require_whole(root: Path, findings: Findings) -> None:
    if not (root / DBT_PROJECT_FILE).is_file():
        findings.refuse(
            DBT_PROJECT_FILE,
            "it is not there, and tasks of the account run dbt",
            f"Put the dbt project beside snowmelt.yml. {_CONTINUED}",
        )
        return
    for folder in outside(root):
        findings.refuse(
            DBT_PROJECT_FILE,
            f"{folder} is outside the project: the account gets its folder alone",
            f"Put it below the project. {_CONTINUED}",
        )
    listed, there = lacking_packages(root)
    if there < listed:
        findings.refuse(
            packages_file(root),
            f"it lists {listed} packages, of which {there} are here: there, none is "
            "fetched",
            f"dbt deps. {_CONTINUED}",
        )
