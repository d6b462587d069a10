"""Options that several commands share, and who answers them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from snowmelt.cli.target_option import chosen_target
from snowmelt.clock import Clock
from snowmelt.serve.commands import Commands

if TYPE_CHECKING:
    from snowmelt.project.project import Project

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


def to_service(file: str) -> str:
    """Return a file as whoever answers finds it, whichever directory that is in.

    A path that leads somewhere from here is made absolute; anything else is taken
    for a name in the stage.
    """
    path = Path(file)
    return str(path.resolve()) if path.is_file() else file


def chosen_project(directory: Path) -> Project:
    """Return the project: as it is on this machine, or on the target that is named."""
    from snowmelt.project.project import load_project

    project, target = load_project(directory), chosen_target()
    if target is None:
        return project
    from snowmelt.service.targets.project import observed_project

    return observed_project(project, target)


@contextmanager
def connected(directory: Path, sink: Any = None) -> Iterator[Commands]:
    """Yield who answers for a project: its running service, or this process.

    While another process owns the warehouse, for up to ten seconds, it is waited for
    to end, or to begin to answer if it is a service that is starting.
    """
    from snowmelt.clock import SystemClock
    from snowmelt.errors import InUseError
    from snowmelt.serve.client import connect_service
    from snowmelt.service.opening import WAIT_SECONDS_MAX

    project, clock, own = chosen_project(directory), SystemClock(), _own
    if project.target_name is not None:
        from snowmelt.service.targets.answering import answered_there

        own = answered_there
    give_up_at = clock.monotonic() + WAIT_SECONDS_MAX
    with ExitStack() as stack:
        while True:
            client = stack.enter_context(connect_service(project.socket))
            if client is not None:
                yield client
                return
            try:
                commands = stack.enter_context(own(project, clock, sink))
            except InUseError:
                if clock.monotonic() >= give_up_at:
                    raise
                clock.wait(threading.Event(), 0.1)
                continue
            yield commands
            return


@contextmanager
def _own(project: Project, clock: Clock, sink: Any) -> Iterator[Commands]:
    """Own the warehouse for the length of a block."""
    from snowmelt.events import Events
    from snowmelt.service.action_log import recording
    from snowmelt.service.commands import OwnCommands
    from snowmelt.service.loop import Loop
    from snowmelt.service.opening import opened

    events = Events()
    if sink is not None:
        events.subscribe(sink)
    with opened(project, clock, events) as parts:
        loop = Loop(parts)
        try:
            yield recording(OwnCommands(loop, serving=False), loop, "command")
        finally:
            loop.close()
