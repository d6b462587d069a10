"""Doctor of a target, asked from a command line; nothing is read into its file."""

from __future__ import annotations

from pathlib import Path

from snowmelt.clock import SystemClock
from snowmelt.deploy import opening
from snowmelt.deploy.harvest.scope import scope_of
from snowmelt.errors import UnreachableError
from snowmelt.project.project import load_project
from snowmelt.serve.commands import Document
from snowmelt.service.targets.diagnosing import diagnosed, unreachable
from snowmelt.snowflake import PROMPT


def diagnose_target(directory: Path, target: str) -> Document:
    """Ask a target's account what is wrong. Raises ConfigError or UsageError."""
    project, clock = load_project(directory), SystemClock()
    names = opening.names_of(project, target)
    scope = scope_of(project, names)
    try:
        account = opening.connect(project, names, clock, opening.NO_OTHERS, PROMPT)
    except UnreachableError as error:
        return unreachable(scope, error, clock.now())
    try:
        return diagnosed(account, scope, clock.now())
    except UnreachableError as error:
        return unreachable(scope, error, clock.now())
    finally:
        account.close()
