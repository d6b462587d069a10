"""snowmelt why"""

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


@click.command("why")
@click.argument("target")
@project_option
@json_option
def command(target: str, directory: Path, as_json: bool) -> None:
    """Say why a file was or was not loaded, or a model built."""
    with connected(directory) as commands:
        document = commands.why(to_service(target))
    if as_json:
        output.show_json(document)
        return
    output.show(document["answer"])
