"""Opening a project: the warehouse, its tables, and the parts of the loop."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from snowmelt.bronze.copy import Copier
from snowmelt.bronze.table import ensure_table
from snowmelt.clock import Clock
from snowmelt.errors import ConfigError, InUseError
from snowmelt.events import Events
from snowmelt.gold.audit import Audit
from snowmelt.gold.publication import Publication
from snowmelt.gold.run_history import close_interrupted
from snowmelt.gold.vacuum import Vacuum
from snowmelt.landing.open_stage import open_stage
from snowmelt.observe.export.exporting import exported
from snowmelt.observe.pipeline_log import PipelineLog, kept_log
from snowmelt.observe.plain_errors import plain_errors
from snowmelt.observe.spills import watched_spills
from snowmelt.pipe.attempts import Attempts
from snowmelt.pipe.evolved import effective_pipe, record_widened
from snowmelt.pipe.external import settle_links
from snowmelt.pipe.held import held_files
from snowmelt.pipe.pause import paused_pipes
from snowmelt.pipe.pending import PendingFiles
from snowmelt.project.project import Project, write_schemas
from snowmelt.service.describing import described
from snowmelt.service.load_lanes import PipeLocks
from snowmelt.service.owning import SERVICE, Patience, owner_of, owning
from snowmelt.service.parts import Parts
from snowmelt.service.trial import try_file
from snowmelt.transform.build import Builder
from snowmelt.transform.dbt import Dbt
from snowmelt.transform.kept_artifacts import KeptArtifacts
from snowmelt.transform.profile import write_profile
from snowmelt.transform.sources import write_sources
from snowmelt.transform.tasks.ledger import close_interrupted_tasks
from snowmelt.warehouse.duckdb.system import ensure_system_tables
from snowmelt.warehouse.duckdb.views import PipeEntry, StageEntry, write_catalog
from snowmelt.warehouse.duckdb.warehouse import (
    DuckDBWarehouse,
    Limits,
    open_warehouse,
)
from snowmelt.warehouse.port import Warehouse


@contextmanager
def opened_patiently(
    project: Project, clock: Clock, events: Events, patience: Patience
) -> Iterator[Parts]:
    """Do as `opened` for a service, but wait for a process that owns the file.

    Raises as `Patience.wait`.
    """
    with ExitStack() as stack:
        while True:
            try:
                parts = stack.enter_context(opened(project, clock, events, SERVICE))
                break
            except InUseError as error:
                patience.wait(error)
        yield parts


@contextmanager
def opened(
    project: Project, clock: Clock, events: Events, command: str = "snowmelt"
) -> Iterator[Parts]:
    """Own a project's warehouse for the length of a block.

    What a process that was killed left behind is settled first: runs without an end
    are closed, spooled files and links of no load removed. `command` is what others
    are told who want it meanwhile.

    Raises InUseError when another process owns it, ConfigError when a contract
    no longer fits its table.
    """
    _make_folders(project)
    with _owned(project, command) as warehouse:
        ensure_system_tables(warehouse, clock)
        _remove_left_overs(project, warehouse)
        attempts = Attempts(project.attempts_path)
        with warehouse.session() as session, session.transaction():
            for pipe in project.pipes:
                record_widened(session, pipe, ensure_table(session, pipe), clock.now())
            close_interrupted(session, clock.now())
            close_interrupted_tasks(session, clock.now())
            paused = set(paused_pipes(session))
            held = held_files(session)
        with warehouse.session() as session:
            write_catalog(session, *catalog(project), clock.now())
        describe = partial(_describe_bronze, project, warehouse)
        describe()
        write_schemas(project.root)
        write_profile(project.root, project.settings.layers.default)
        stage = open_stage(project.settings.landing, project.root, clock)
        pending = PendingFiles(
            project.pipes,
            project.settings.landing.settle,
            attempts.interrupted(),
            paused=paused,
            held=held,
        )
        copier = Copier(warehouse, stage, clock, project.spool, attempts, describe)
        publication = make_publication(project, warehouse, clock, events)
        with _told(project, warehouse, clock, events) as log:
            yield Parts(
                project=project,
                warehouse=warehouse,
                stage=stage,
                pending=pending,
                copier=copier,
                attempts=attempts,
                publication=publication,
                vacuum=make_vacuum(project, publication, clock, events),
                clock=clock,
                events=events,
                pipeline_log=log,
                loading=PipeLocks(project.pipes),
                trial=partial(try_file, project, warehouse),
            )


@contextmanager
def _owned(project: Project, command: str) -> Iterator[DuckDBWarehouse]:
    """Open the warehouse and leave word that this process has it."""
    try:
        warehouse = _warehouse(project, project.settings.warehouse.memory_bytes)
    except InUseError as error:
        owner = owner_of(project.state, error)
        if owner is None:
            raise
        told = f"the warehouse is in use by {owner}"
        raise InUseError(error.where, told, error.remedy, error.pid) from None
    try:
        with owning(project.state, command):
            yield warehouse
    finally:
        warehouse.close()


@contextmanager
def _told(
    project: Project, warehouse: DuckDBWarehouse, clock: Clock, events: Events
) -> Iterator[PipelineLog]:
    """Have what happens told, kept and exported while the block lasts."""
    settings = project.settings
    memory = settings.warehouse.memory_bytes
    with (
        plain_errors(),
        watched_spills(warehouse.spilled_bytes, memory, events),
        exported(settings.observe, described(project), events, clock, warehouse),
        kept_log(warehouse, settings.log, clock, events) as log,
    ):
        yield log


def _warehouse(project: Project, memory_bytes: int) -> DuckDBWarehouse:
    return open_warehouse(
        project.warehouse_path,
        folders=project.engine_folders,
        limits=Limits(project.settings.warehouse.threads, memory_bytes),
    )


def make_publication(
    project: Project, warehouse: Warehouse, clock: Clock, events: Events
) -> Publication:
    dbt = Dbt(project.root, project.warehouse_path)
    settings = project.settings
    builder = Builder(dbt, project.root, clock, settings.layers.bronze)
    builder.artifacts = KeptArtifacts(
        project.root, settings.log.keep, settings.log.artifacts_max
    )
    room = partial(_headroom, project.warehouse_path)
    audit = Audit(warehouse, builder, settings.audit, clock, events, room)
    return Publication(warehouse, builder, audit, settings.publish, clock, events)


def make_vacuum(
    project: Project, publication: Publication, clock: Clock, events: Events
) -> Vacuum:
    config = project.settings.retention
    return Vacuum(publication, config, project.pipes, clock, events)


def _headroom(path: Path) -> tuple[int, int]:
    """Return the free bytes of the disk a file is on, and the file's own."""
    return shutil.disk_usage(path.parent).free, path.stat().st_size


def catalog(project: Project) -> tuple[list[PipeEntry], StageEntry]:
    """Return what the tables `snowmelt.pipes` and `snowmelt.stages` say."""
    landing = project.settings.landing
    pipes = [
        PipeEntry(
            name=pipe.name,
            schema_name=pipe.schema_name,
            table_name=pipe.table_name,
            pattern=pipe.pattern,
            on_error=pipe.on_error,
            file_format=pipe.file_format.model_dump(mode="json"),
            digest=pipe.digest,
            comment=pipe.description,
        )
        for pipe in project.pipes
    ]
    stage = StageEntry(
        name="landing",
        url=project.location,
        is_external=not project.lands_locally,
        region=landing.region,
        channel=landing.queue,
    )
    return pipes, stage


def _describe_bronze(project: Project, warehouse: Warehouse) -> None:
    """Tell dbt which columns bronze has, those that evolved too."""
    with warehouse.session() as session:
        pipes = [effective_pipe(session, pipe) for pipe in project.pipes]
    write_sources(project.root, pipes)


def _remove_left_overs(project: Project, warehouse: Warehouse) -> None:
    """Remove what a killed process spooled, and its links of no load."""
    with warehouse.session() as session:
        settle_links(session, project.external)
    for left_over in project.spool.iterdir():
        if left_over.is_dir() and not left_over.is_symlink():
            shutil.rmtree(left_over)
        else:
            left_over.unlink()


def _make_folders(project: Project) -> None:
    """Make what a fresh checkout of a project lacks.

    To the engine paths are globs: files with odd names are read through links in the
    spool, so that the spool's own path must be a plain one.
    """
    odd = next((mark for mark in "*?[" if mark in str(project.spool)), None)
    if odd:
        raise ConfigError(
            str(project.root),
            f"the project's path has a '{odd}', which the engine reads as a pattern",
            "Move the project to a folder without one.",
        )
    local = [project.landing] if project.lands_locally else []
    own = (project.state, project.spool, project.external, project.published)
    for folder in (*own, *local):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                str(folder), f"the folder cannot be made: {error.strerror}"
            ) from None
    project.state.chmod(0o700)
