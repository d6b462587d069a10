"""snowmelt observe"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import project_option
from snowmelt.cli.target_option import chosen_target
from snowmelt.errors import SnowmeltError, UsageError

if TYPE_CHECKING:
    from snowmelt.deploy.harvest.harvested import Harvested
    from snowmelt.serve.web_server import Opening


@click.command("observe")
@click.option(
    "--every",
    default="60s",
    show_default=True,
    help="How often the account is looked at, which takes no warehouse.",
)
@click.option(
    "--history-every",
    default="1h",
    show_default=True,
    help="How often history is read while nothing happens, which takes one; while "
    "something does, every 10 minutes, or as often as this says.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=None,
    help="The port of the pages; a free one without it.",
)
@project_option
def command(every: str, history_every: str, port: int | None, directory: Path) -> None:
    """Watch a target: its pages, alerts and history on this machine.

    What the account remembers of files, tasks, runs and credits is read before it
    forgets it, into .snowmelt/targets. Nothing there is changed. Commands with
    --target find this process.
    """
    from snowmelt.clock import SystemClock
    from snowmelt.landing.config import parse_duration
    from snowmelt.project.project import load_project
    from snowmelt.service.targets.project import observed_project
    from snowmelt.service.targets.serving import Pace, observe

    project = load_project(directory)
    target = chosen_target()
    if target is None:
        known = ", ".join(project.settings.targets) or "none yet"
        raise UsageError(
            "observe",
            f"it needs a target; in snowmelt.yml: {known}",
            "snowmelt observe --target prod; this machine's own pages: snowmelt up",
        )
    try:
        pace = Pace(parse_duration(every), parse_duration(history_every))
    except ValueError as error:
        raise UsageError("--every, --history-every", str(error)) from None
    there = observed_project(project, target, port)
    observe(there, SystemClock(), pace, _tell, _told)
    output.tell(f"Stopped. Go on with: snowmelt observe --target {target}")


def _tell(opening: Opening) -> None:
    if opening.problem:
        output.tell(f"No pages: {opening.problem}")
    else:
        output.tell(f"Pages: {opening.link}")
        another = f"snowmelt link --target {chosen_target()}"
        output.tell(f"The link works once. Print another with: {another}")


def _told(read: Harvested | SnowmeltError) -> None:
    """Tell what a reading brought, if it brought or lacked anything."""
    if isinstance(read, SnowmeltError):
        output.tell(f"Not read: {read}")
        return
    if read.loads:
        output.tell(f"{output.count(read.loads, 'file')} read.")
    for problem in read.problems:
        output.tell(str(problem))
