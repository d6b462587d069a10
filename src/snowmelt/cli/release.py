"""snowmelt release"""

from __future__ import annotations

from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import (
    connected,
    json_option,
    project_option,
    to_service,
)


@click.command("release")
@click.argument("file")
@project_option
@json_option
def command(file: str, directory: Path, as_json: bool) -> None:
    """Let a held FILE go on; it is loaded like any other."""
    with connected(directory) as commands:
        document = commands.release(to_service(file))
        running = commands.status()["service"]["running"]
    if as_json:
        output.show_json(document)
        return
    output.show(f"{document['file_name']} is released.")
    if not running:
        output.tell("Load it with: snowmelt run")
