"""What of an account is this project's, and what it is called here. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from snowmelt.deploy.naming import Names
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.kept_history import KEEP
from snowmelt.deploy.snowflake.manifest import SYSTEM, manifest
from snowmelt.deploy.snowflake.pipe import Pipe as PipeThere
from snowmelt.deploy.snowflake.places import Findings, pipe_files
from snowmelt.deploy.snowflake.task import Task as TaskThere
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.identity import SameName
from snowmelt.project.project import Project


@dataclass(frozen=True)
class PipeScope:
    """A pipe: what it is here, and its names there."""

    pipe: Pipe
    path: str
    table_path: str
    format_path: str
    pattern: str
    by_select: bool
    """Does it copy by a SELECT? VALIDATE_PIPE_LOAD refuses such pipes."""

    @property
    def name(self) -> str:
        return self.pipe.name

    @property
    def supersedes(self) -> bool:
        """Does a newer version of a file's name take its rows' place?"""
        return self.pipe.on_same_name_changed is not SameName.APPEND


@dataclass(frozen=True)
class TaskScope:
    """A task: what it is here, and its names there."""

    name: str
    path: str
    root: str
    kind: str
    after: tuple[str, ...]
    when: str
    schedule: str

    @property
    def plain_path(self) -> str:
        """The name as history tells it: without quotes."""
        return self.path.replace('"', "")


@dataclass(frozen=True)
class Scope:
    """A project on a target."""

    names: Names
    bronze: str
    pipes: tuple[PipeScope, ...]
    tasks: tuple[TaskScope, ...]

    @property
    def database(self) -> str:
        return self.names.database

    @property
    def system(self) -> str:
        """The schema of the log and of tasks."""
        return f"{self.names.database}.{SYSTEM.upper()}"

    @property
    def dbt_project(self) -> str:
        """The DBT PROJECT that tasks run; empty where a machine runs dbt."""
        target = self.names.target
        if target.runner != "tasks":
            return ""
        name = target.dbt_project or self.names.prefix
        return sql.path(self.names.database, SYSTEM, name)

    @cached_property
    def tasks_by_path(self) -> dict[str, TaskScope]:
        return {each.plain_path.upper(): each for each in self.tasks}

    def file_name(self, stage_location: str | None, told: str, pattern: str) -> str:
        """Return a file's path below the stage, however an account tells it.

        By whole address, below the stage of the copy, or with the bucket's folder: the
        first that the pipe's pattern takes.
        """
        location, folder = self.names.location, self.names.target.aws.folder
        address = told if "://" in told else f"{stage_location or ''}{told.lstrip('/')}"
        in_bucket = told.partition("://")[2].partition("/")[2] or told.lstrip("/")
        ways = [in_bucket.removeprefix(folder), in_bucket]
        if address.startswith(location):
            ways.insert(0, address.removeprefix(location))
        return next((way for way in ways if re.fullmatch(pattern, way)), ways[0])


def scope_of(project: Project, names: Names) -> Scope:
    """Return what of a target's account is a project's."""
    entities = manifest(project, names, Findings(project.root))
    there = [each for each in entities if isinstance(each, PipeThere)]
    pipes = tuple(
        PipeScope(
            file.pipe,
            each.name,
            each.copy.table,
            each.copy.file_format,
            each.copy.pattern,
            bool(each.copy.chosen),
        )
        for file, each in zip(pipe_files(project), there, strict=True)
    )
    # what keeps the account's own history comes after what the project is about
    tasks = sorted(
        (each for each in entities if isinstance(each, TaskThere)),
        key=lambda each: each.name.rpartition(".")[2].lower() == KEEP,
    )
    local = {name.upper(): name for name in project.settings.tasks}
    ours = tuple(_task(each, local, project) for each in tasks)
    return Scope(names, project.settings.layers.bronze, pipes, ours)


def _task(task: TaskThere, local: dict[str, str], project: Project) -> TaskScope:
    def here(path: str) -> str:
        name = path.rpartition(".")[2].strip('"')
        return local.get(name, name.lower())

    name = here(task.name)
    config = project.settings.tasks.get(name)
    return TaskScope(
        name,
        task.name,
        here(task.root),
        config.kinds[0] if config else "dbt",
        tuple(here(each) for each in task.after),
        task.when,
        task.schedule,
    )
