"""snowmelt rebuild"""

from __future__ import annotations

from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import connected, json_option, project_option


@click.command("rebuild")
@project_option
@json_option
def command(directory: Path, as_json: bool) -> int:
    """Build silver and gold anew from bronze, test them, and publish."""
    from snowmelt.cli.run_summary import show_run
    from snowmelt.observe.progress import Progress

    with Progress() as progress, connected(directory, progress) as commands:
        document = commands.rebuild()
    if as_json:
        output.show_json(document)
    else:
        show_run(document["run"])
    return 0 if document["run"]["state"] == "SUCCEEDED" else 1
