"""Puts a migration together: a project, its target, both clouds."""

from __future__ import annotations

from snowmelt.clock import Clock
from snowmelt.deploy.aws.opening import open_calls
from snowmelt.deploy.migration.destination import Destination
from snowmelt.deploy.migration.local import Local
from snowmelt.deploy.migration.migration import AS_USUAL, Manner, Migration
from snowmelt.deploy.migration.shelf import Shelf, require_unwatched
from snowmelt.deploy.naming import Names
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.manifest import SYSTEM
from snowmelt.deploy.snowflake.places import pipe_files
from snowmelt.deploy.snowflake.session import Session
from snowmelt.project.project import Project


def open_migration(
    project: Project,
    names: Names,
    session: Session,
    local: Local,
    clock: Clock,
    manner: Manner = AS_USUAL,
) -> Migration:
    """Return a project's move. Raises ConfigError for a pipe that is in the way."""
    require_unwatched(pipe_files(project))
    aws, bronze = names.target.aws, project.settings.layers.bronze
    schema = sql.path(names.database, bronze)
    hidden = any(
        column.meta.pii for pipe in project.pipes for column in pipe.contract.columns
    )
    seeing = tuple(sql.name(names.role(word)) for word in ("loader", "transformer"))
    return Migration(
        project.pipes,
        local,
        Destination(
            session,
            names.database,
            f"{schema}.{sql.name('landing')}",
            SYSTEM,
            aws.folder,
        ),
        Shelf(open_calls(names, clock), aws.bucket, aws.folder),
        aws.folder,
        schema,
        seeing if hidden else (),
        manner,
    )
