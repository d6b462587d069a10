"""Options that several commands share, and who answers them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from snowmelt.serve.commands import Commands

Function = TypeVar("Function", bound=Callable[..., Any])


def project_option(function: Function) -> Function:
    """Add --project-dir."""
    return click.option(
        "--project-dir",
        "directory",
        type=click.Path(path_type=Path),
        default=Path(),
        help="The project; the current directory without it.",
    )(function)


def json_option(function: Function) -> Function:
    """Add --json."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON object on stdout."
    )(function)


@contextmanager
def connected(directory: Path, sink: Any = None) -> Iterator[Commands]:
    """Yield who answers for a project: its running service, or this process."""
    from snowmelt.clock import SystemClock
    from snowmelt.events import Events
    from snowmelt.project.project import load_project
    from snowmelt.serve.client import connect_service
    from snowmelt.service.commands import OwnCommands
    from snowmelt.service.loop import Loop
    from snowmelt.service.opening import opened

    project = load_project(directory)
    with connect_service(project.socket) as client:
        if client is not None:
            yield client
            return
    events = Events()
    if sink is not None:
        events.subscribe(sink)
    with opened(project, SystemClock(), events) as parts:
        loop = Loop(parts)
        try:
            yield OwnCommands(loop, serving=False)
        finally:
            loop.close()
