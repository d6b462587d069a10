"""snowmelt resume"""

from __future__ import annotations

from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import connected, json_option, project_option


@click.command("resume")
@click.argument("pipe")
@project_option
@json_option
def command(pipe: str, directory: Path, as_json: bool) -> None:
    """Let a paused PIPE go on with what waits.

    The stage is listed, so that nothing is missed however long the pause was.
    """
    with connected(directory) as commands:
        document = commands.resume(pipe)
        running = commands.status()["service"]["running"]
    if as_json:
        output.show_json(document)
        return
    if not document["changed"]:
        output.tell("It was not paused; nothing changed.")
    output.show(
        f"{pipe} is running; {output.count(document['pending'], 'file')} pending."
    )
    if not running:
        output.tell("Load what is pending with: snowmelt run")
