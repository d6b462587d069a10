"""snowmelt up"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import project_option
from snowmelt.cli.target_runs import LOCAL, follow, target_option
from snowmelt.errors import SnowmeltError, UsageError
from snowmelt.events import Event, Sink, StatementFinished, describe

if TYPE_CHECKING:
    from snowmelt.project.project import Project
    from snowmelt.serve.web_server import Opening
    from snowmelt.service.owning import Owner


@click.command("up")
@click.option(
    "--log-format",
    type=click.Choice(["console", "json"]),
    default="console",
    show_default=True,
    help="What stands on stderr: progress for people, or lines of JSON.",
)
@click.option(
    "--metrics-port",
    type=click.IntRange(1, 65535),
    default=None,
    help="Answer Prometheus on this port of 127.0.0.1, too.",
)
@target_option
@project_option
@click.option(
    "--json", "as_json", is_flag=True, help="Print each event as one line of JSON."
)
def command(
    log_format: str,
    metrics_port: int | None,
    target: str,
    directory: Path,
    as_json: bool,
) -> int:
    """Run the service: files become gold as they land.

    On another target: whenever its pipes have copied files. Ctrl-C or SIGTERM lets the
    running transactions end; nothing is left half-done.
    """
    if target != LOCAL:
        if metrics_port is not None or log_format != "console":
            raise UsageError(
                f"--target {target}", "its log is a table there: SNOWMELT.PIPELINE_LOG"
            )
        return follow(target, directory, as_json=as_json)
    sinks: list[Sink] = [EventLines()] if as_json else []
    if log_format == "json":
        return _logged(directory, sinks, as_json, metrics_port)
    from snowmelt.observe.progress import Progress
    from snowmelt.project.project import load_project

    project = load_project(directory)
    with Progress() as progress:
        output.tell(f"Watching {project.location}. Stop with Ctrl-C.")
        left = _serve(project, [progress, *sinks], _tell, metrics_port, _tell_owner)
    output.tell(
        "Stopped; every transaction is finished. "
        + (f"{output.count(left, 'file')} still pending. " if left else "")
        + "Go on with: snowmelt up"
    )
    return 0


def _logged(
    directory: Path, sinks: list[Sink], as_json: bool, metrics_port: int | None
) -> int:
    """Serve, with nothing but JSON on stderr: errors too are lines of the log."""
    from snowmelt.observe.log_lines import EventLog, json_lines, log
    from snowmelt.project.project import load_project

    with json_lines():
        try:
            project = load_project(directory)
            log.info("watching", location=project.location)
            opened = partial(_log, log)
            waits = partial(_log_owner, log)
            left = _serve(project, [EventLog(), *sinks], opened, metrics_port, waits)
            log.info("stopped", pending=left)
        except SnowmeltError as error:
            log.error("failed", error=error.as_document())
            if as_json:
                output.show_json({"error": error.as_document()})
            return error.exit_code
    return 0


def _tell(opening: Opening) -> None:
    if opening.problem:
        output.tell(f"No pages: {opening.problem}")
    else:
        output.tell(f"Pages: {opening.link}")
        output.tell("The link works once. Print another with: snowmelt link")


def _tell_owner(owner: Owner) -> None:
    output.tell(f"Waiting for {owner} to end.")


def _log_owner(log: Any, owner: Owner) -> None:
    log.info("waiting", owner=owner.command, pid=owner.pid)


def _log(log: Any, opening: Opening) -> None:
    """Say where the pages are; a log may be read by people who may not act."""
    if opening.problem:
        log.info("no_pages", problem=opening.problem)
    else:
        log.info("pages", url=opening.url)


def _serve(
    project: Project,
    sinks: list[Sink],
    tell: Callable[[Opening], None],
    metrics_port: int | None,
    waits: Callable[[Owner], None],
) -> int:
    from snowmelt.clock import SystemClock
    from snowmelt.events import Events
    from snowmelt.service.serving import serve

    events = Events()
    for sink in sinks:
        events.subscribe(sink)
    return serve(project, SystemClock(), events, tell, metrics_port, waits)


class EventLines:
    """A sink that prints each event with its name; whole lines, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        if isinstance(event, StatementFinished):
            return  # `query_history` has them
        with self._lock:
            output.show_json(describe(event))
