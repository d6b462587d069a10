"""A project directory, read and checked as a whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from pydantic import BaseModel

from snowmelt.errors import ConfigError
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.pattern import can_overlap
from snowmelt.project.config_files import digests_of
from snowmelt.project.dashboards import Dashboard
from snowmelt.project.settings import Settings
from snowmelt.project.yaml_file import load_model, place_of
from snowmelt.transform.dbt_project import read_dbt_project
from snowmelt.transform.tasks.checking import Surroundings, problems
from snowmelt.warehouse.port import LINKS

SETTINGS_FILE = "snowmelt.yml"
SOCKET = "service.sock"


@dataclass(frozen=True)
class Project:
    """What a project directory says: settings and pipes, both checked."""

    root: Path
    settings: Settings
    pipes: tuple[Pipe, ...]
    read_as: Mapping[str, str] = field(default_factory=dict, compare=False)
    """What was in the files when they were read; see `config_files`."""

    @property
    def target_name(self) -> str | None:
        """The target that is observed; None of what runs on this machine."""
        return None

    @property
    def landing(self) -> Path:
        """Return the landing folder of a project whose files arrive in one."""
        assert self.lands_locally, "files arrive in a bucket"
        return (self.root / self.settings.landing.path).resolve()

    @property
    def lands_locally(self) -> bool:
        """Do files arrive in a folder, not in a bucket?"""
        return self.settings.landing.bucket_path is None

    @property
    def location(self) -> str:
        """Return where files arrive, to be shown."""
        bucket = self.settings.landing.bucket_path
        return str(bucket or self.landing)

    @property
    def engine_folders(self) -> list[Path]:
        """Return the folders that SQL may read from."""
        local = [self.landing] if self.lands_locally else []
        seeds = read_dbt_project(self.root).seed_paths
        return [
            *local,
            self.spool,
            self.published,
            self.external,
            *(self.root / path for path in seeds),
        ]

    @property
    def state(self) -> Path:
        """The folder of the warehouse, the socket and the spool."""
        return self.root / ".snowmelt"

    @property
    def warehouse_path(self) -> Path:
        return (self.root / self.settings.warehouse.path).resolve()

    @property
    def spool(self) -> Path:
        return self.state / "spool"

    @property
    def external(self) -> Path:
        """The folder of links to files that bronze reads without a copy."""
        return self.root / LINKS

    @property
    def published(self) -> Path:
        """The folder of what is known of places that gold is published to."""
        return self.state / "published"

    @property
    def attempts_path(self) -> Path:
        return self.state / "attempts.log"

    @property
    def socket(self) -> Path:
        return self.state / SOCKET

    @property
    def users_path(self) -> Path:
        """Who may see the pages, and whose sessions they are."""
        return self.state / "users.json"

    @property
    def tokens_path(self) -> Path:
        """Which programs may ask, and which may act."""
        return self.state / "tokens.json"

    @property
    def shares_path(self) -> Path:
        """Which dashboards are shown by links."""
        return self.state / "shares.json"

    @property
    def session_key_path(self) -> Path:
        return self.state / "sessions.key"


def socket_of(root: Path) -> Path:
    """Return where the service of a project answers, whatever its files say."""
    return root / ".snowmelt" / SOCKET


def find_project(directory: Path) -> Path:
    """Return the directory if it is a project.

    Raises ConfigError that says how to make one, or where the nearest one is.
    """
    directory = directory.resolve()
    if (directory / SETTINGS_FILE).is_file():
        return directory
    above = next((p for p in directory.parents if (p / SETTINGS_FILE).is_file()), None)
    remedy = (
        f"Use --project-dir {above}."
        if above
        else "Make a project with: snowmelt init DIR --template olist"
    )
    raise ConfigError(str(directory), f"there is no {SETTINGS_FILE} here", remedy)


def load_project(directory: Path) -> Project:
    """Read settings and pipes. Raises ConfigError with file and line."""
    root = find_project(directory)
    read_as = digests_of(root)
    settings = load_model(
        root / SETTINGS_FILE, Settings, SETTINGS_FILE, deferred=("targets",)
    )
    other = next((root / "pipes").glob("*.yaml"), None)
    if other is not None:
        raise ConfigError(
            f"pipes/{other.name}",
            "pipes are read from files that end in .yml",
            f"Rename it: mv pipes/{other.name} pipes/{other.stem}.yml",
        )
    files = sorted((root / "pipes").glob("*.yml"))
    context = {
        "file_formats": settings.file_formats,
        "bronze": settings.layers.bronze,
        "external": root / LINKS,
    }
    pipes = tuple(
        load_model(file, Pipe, f"pipes/{file.name}", context) for file in files
    )
    shown = [f"pipes/{file.name}" for file in files]
    _check_together(pipes, shown)
    _check_tags(settings, pipes, shown)
    _check_external(root, settings, pipes, shown)
    _check_tasks(root, settings, pipes)
    return Project(root, settings, pipes, read_as)


def _check_tags(settings: Settings, pipes: tuple[Pipe, ...], files: list[str]) -> None:
    """Refuse tags where files arrive in a folder: it knows none."""
    for pipe, file in zip(pipes, files, strict=True):
        tags = pipe.after_load and pipe.after_load.tag
        if tags and settings.landing.bucket_path is None:
            raise ConfigError(
                f"{file}: after_load: tag",
                "files of a folder have no tags",
                "Write after_load: {archive: .loaded}, or use a bucket.",
            )


def _check_external(
    root: Path, settings: Settings, pipes: tuple[Pipe, ...], files: list[str]
) -> None:
    """Refuse external pipes where no second link can keep a file of landing."""
    shown = [file for file, pipe in zip(files, pipes, strict=True) if pipe.external]
    if not shown:
        return
    if settings.landing.bucket_path is not None:
        raise ConfigError(
            f"{shown[0]}: external",
            "files arrive in a bucket, and the engine reads files of this machine only",
            "Leave external out, or let them land in a folder.",
        )
    landing = root / settings.landing.path
    if landing.exists() and landing.stat().st_dev != root.stat().st_dev:
        raise ConfigError(
            f"{shown[0]}: external",
            f"{landing} is on another file system than the project, so that no second "
            "link can keep its files",
            "Move one of them, or leave external out.",
        )


def _check_tasks(root: Path, settings: Settings, pipes: tuple[Pipe, ...]) -> None:
    """Refuse tasks that are no sound graph, or name what is not there."""
    tables = [pipe.table_name for pipe in pipes]
    around = Surroundings(tables, [pipe.name for pipe in pipes], root)
    for found in problems(settings.tasks, around):
        where = place_of(root / SETTINGS_FILE, found.location, SETTINGS_FILE)
        raise ConfigError(where, found.problem, found.remedy)


def _check_together(pipes: tuple[Pipe, ...], files: list[str]) -> None:
    """Refuse pipes that share a name, a table, or files."""
    for (one, first), (two, second) in combinations(zip(pipes, files, strict=True), 2):
        if one.name == two.name:
            raise ConfigError(second, f"{first} names its pipe '{one.name}' too")
        if one.table_name == two.table_name:
            raise ConfigError(second, f"{first} writes {one.full_table_name} too")
        if can_overlap(one.pattern, two.pattern):
            raise ConfigError(
                f"{second}: pattern",
                f"'{two.pattern}' and '{one.pattern}' of {first} can match the same "
                "file, which would be loaded twice",
                "Make one of them narrower.",
            )


def write_schemas(project_root: Path) -> None:
    """Write the JSON Schemas that editors check the project's YAML with."""
    folder = project_root / ".snowmelt" / "schema"
    folder.mkdir(parents=True, exist_ok=True)
    models: dict[str, type[BaseModel]] = {
        "project": Settings,
        "pipe": Pipe,
        "dashboard": Dashboard,
    }
    for name, model in models.items():
        schema = {"$id": f"snowmelt/{name}/1", **model.model_json_schema()}
        (folder / f"{name}.json").write_text(json.dumps(schema, indent=2) + "\n")
