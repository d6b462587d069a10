"""Opens the file of a target: the same parts as a project's own, and nothing loads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from snowmelt.bronze.copy import Copier
from snowmelt.clock import Clock
from snowmelt.deploy.harvest.tables import ensure_account_tables
from snowmelt.errors import ConfigError
from snowmelt.events import Events
from snowmelt.observe.pipeline_log import kept_log
from snowmelt.pipe.attempts import Attempts
from snowmelt.pipe.pending import PendingFiles
from snowmelt.service.load_lanes import PipeLocks
from snowmelt.service.opening import catalog, make_publication, make_vacuum
from snowmelt.service.parts import Parts
from snowmelt.service.targets.files import FilesThere
from snowmelt.service.targets.project import ObservedProject
from snowmelt.service.targets.stage import ObservedStage
from snowmelt.service.trial import try_file
from snowmelt.warehouse.duckdb.system import ensure_system_tables
from snowmelt.warehouse.duckdb.views import write_catalog
from snowmelt.warehouse.duckdb.warehouse import Limits, open_warehouse


@contextmanager
def opened_target(
    project: ObservedProject, clock: Clock, events: Events
) -> Iterator[Parts]:
    """Own the file of a target for the length of a block.

    No file of the project is written: dbt reads a copy, when it is to say something.

    Raises InUseError when another process owns it.
    """
    _make_folders(project)
    limits = project.settings.warehouse
    warehouse = open_warehouse(
        project.warehouse_path,
        folders=[],
        limits=Limits(limits.threads, limits.memory_bytes),
    )
    try:
        ensure_system_tables(warehouse, clock)
        with warehouse.session() as session:
            ensure_account_tables(session)
            write_catalog(session, *catalog(project), clock.now())
        stage = ObservedStage(project.location)
        attempts = Attempts(project.attempts_path)
        publication = make_publication(project, warehouse, clock, events)
        with kept_log(warehouse, project.settings.log, clock, events) as log:
            yield Parts(
                project=project,
                warehouse=warehouse,
                stage=stage,
                pending=PendingFiles(project.pipes, project.settings.landing.settle),
                copier=Copier(
                    warehouse, stage, clock, project.spool, attempts, _describe_nothing
                ),
                attempts=attempts,
                publication=publication,
                vacuum=make_vacuum(project, publication, clock, events),
                clock=clock,
                events=events,
                pipeline_log=log,
                loading=PipeLocks(project.pipes),
                trial=partial(try_file, project, warehouse),
                files=FilesThere(project, clock),
            )
    finally:
        warehouse.close()


def _describe_nothing() -> None:
    """Dbt learns the columns of bronze from the project's own warehouse."""


def _make_folders(project: ObservedProject) -> None:
    for folder in (project.state, project.spool, project.published):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                str(folder), f"the folder cannot be made: {error.strerror}"
            ) from None
    project.state.chmod(0o700)
    (project.root / ".snowmelt").chmod(0o700)
