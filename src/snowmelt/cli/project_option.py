"""Options that several commands share, and who answers them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from snowmelt.cli import output
from snowmelt.cli.target_option import chosen_target
from snowmelt.clock import Clock
from snowmelt.serve.commands import Commands

if TYPE_CHECKING:
    from snowmelt.errors import SnowmeltError
    from snowmelt.project.project import Project

WhenOff = Literal["told", "untold", "refused"]
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
def connected(
    directory: Path, sink: Any = None, *, off: WhenOff = "told"
) -> Iterator[Commands]:
    """Yield who answers for a project: its running service, or this process.

    While another process owns the warehouse, for up to ten seconds, it is waited for
    to end, or to begin to answer if it is a service that is starting.

    A service answers although files of the project are off by now, with what it read
    before; `off` says if that is told, or refused. Without a service it is refused.

    Raises ConfigError for a project that is off.
    """
    from snowmelt.clock import SystemClock
    from snowmelt.errors import ConfigError

    try:
        project = chosen_project(directory)
    except ConfigError as error:
        if off == "refused" or chosen_target() is not None:
            raise
        with _beside_files_that_are_off(directory, error, off) as client:
            yield client
        return
    with ExitStack() as stack:
        yield _whoever_answers(stack, project, SystemClock(), sink)


@contextmanager
def _beside_files_that_are_off(
    directory: Path, error: SnowmeltError, off: WhenOff
) -> Iterator[Commands]:
    """Yield the service that runs. Raises the error where none does."""
    from snowmelt.project.project import find_project, socket_of
    from snowmelt.serve.client import connect_service

    with connect_service(socket_of(find_project(directory))) as client:
        if client is None:
            raise error
        if off == "told":
            output.tell(f"{error} The service answers with what it read before.")
        yield client


def _whoever_answers(
    stack: ExitStack, project: Project, clock: Clock, sink: Any
) -> Commands:
    """Return the service, or this process as the owner of the warehouse.

    With --target that of the file of the target.
    """
    from functools import partial

    from snowmelt.errors import InUseError
    from snowmelt.serve.client import connect_service
    from snowmelt.service.owning import WAIT_SECONDS_MAX

    own: Callable[..., AbstractContextManager[Commands]] = _own
    if project.target_name is not None:
        from snowmelt.service.targets.answering import answered_there

        own = partial(answered_there, tell=output.tell)
    give_up_at = clock.monotonic() + WAIT_SECONDS_MAX
    while True:
        client = stack.enter_context(connect_service(project.socket))
        if client is not None:
            return client
        try:
            return stack.enter_context(own(project, clock, sink))
        except InUseError:
            if clock.monotonic() >= give_up_at:
                raise
            clock.wait(threading.Event(), 0.1)


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
    context = click.get_current_context(silent=True)
    command = context.command_path if context else "snowmelt"
    with opened(project, clock, events, command) as parts:
        loop = Loop(parts)
        try:
            yield recording(OwnCommands(loop, serving=False), loop, "command")
        finally:
            loop.close()
