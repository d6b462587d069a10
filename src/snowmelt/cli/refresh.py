"""snowmelt refresh"""

from __future__ import annotations

from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import connected, json_option, project_option


@click.command("refresh")
@click.option("--pipe", default=None, help="Only this pipe's files.")
@click.option("--prefix", default=None, help="Only files whose path begins so.")
@click.option(
    "--modified-after",
    default=None,
    metavar="TIME",
    help="Only files modified after this instant, such as 2026-11-21T14:30:00Z.",
)
@project_option
@json_option
def command(
    pipe: str | None,
    prefix: str | None,
    modified_after: str | None,
    directory: Path,
    as_json: bool,
) -> int:
    """List the stage now, load what is new, and publish.

    Of pipes with snowpipe_compat only files of the last 7 days are looked at, and
    those that failed are tried again.
    """
    from snowmelt.cli.run import exit_code
    from snowmelt.cli.run_summary import show_summary
    from snowmelt.observe.progress import Progress

    with Progress() as progress, connected(directory, progress) as commands:
        document = commands.refresh(pipe, prefix, modified_after)
    if as_json:
        output.show_json(document)
    else:
        show_summary(document)
    return exit_code(document)
