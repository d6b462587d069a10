"""snowmelt link"""

from __future__ import annotations

from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import json_option, project_option


@click.command("link")
@project_option
@json_option
def command(directory: Path, as_json: bool) -> None:
    """Print a link that opens the pages of the running service, once.

    Whoever may run commands in the project may do everything on its pages.
    """
    from snowmelt.errors import UnreachableError
    from snowmelt.project.project import load_project
    from snowmelt.serve.client import connect_service

    project = load_project(directory)
    with connect_service(project.socket) as service:
        if service is None:
            raise UnreachableError(
                str(project.root), "no service runs", "Start it with: snowmelt up"
            )
        document = service.start_link()
    if as_json:
        output.show_json(document)
        return
    output.show(document["link"])
    output.tell("It works once, within twelve hours.")
