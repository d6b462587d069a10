"""snowmelt pause"""

from __future__ import annotations

from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import connected, json_option, project_option


@click.command("pause")
@click.argument("pipe")
@click.option("--reason", default=None, help="Kept, and shown by status.")
@project_option
@json_option
def command(pipe: str, reason: str | None, directory: Path, as_json: bool) -> None:
    """Let the files of PIPE wait until it is resumed.

    They still become pending, and the pipe stays paused when the service ends.
    """
    with connected(directory) as commands:
        document = commands.pause(pipe, reason)
    if as_json:
        output.show_json(document)
        return
    if not document["changed"]:
        since = document["paused_since"][:19]
        output.tell(f"It was paused before, at {since}; nothing changed.")
    output.show(
        f"{pipe} is paused; {output.count(document['pending'], 'file')} pending."
    )
    output.tell(f"Resume it with: snowmelt resume {pipe}")
