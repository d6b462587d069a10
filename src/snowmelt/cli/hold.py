"""snowmelt hold"""

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


@click.command("hold")
@click.argument("file")
@click.option("--reason", default=None, help="Kept, and shown by status.")
@project_option
@json_option
def command(file: str, reason: str | None, directory: Path, as_json: bool) -> None:
    """Let this version of FILE wait until it is released.

    Another version of it is a file like any other.
    """
    with connected(directory) as commands:
        document = commands.hold(to_service(file), reason)
    if as_json:
        output.show_json(document)
        return
    name = document["file_name"]
    output.show(f"{name} of pipe {document['pipe_name']} is held.")
    output.tell(f"Release it with: snowmelt release {name}")
