"""snowmelt validate"""

from __future__ import annotations

from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import connected, json_option, project_option


@click.command("validate")
@project_option
@json_option
def command(directory: Path, as_json: bool) -> None:
    """Check settings, pipes, contracts and dbt models."""
    with connected(directory, off="refused") as commands:
        document = commands.validate()
    if as_json:
        output.show_json(document)
        return
    pipes = output.count(len(document["pipes"]), "pipe")
    output.show(f"{document['project']}: {pipes} and the dbt project are in order.")
    for warning in document["warnings"]:
        output.tell(f"Warning: {warning}.")
    if document["outdated"]:
        files = output.count(len(document["outdated"]), "file")
        output.tell(f"packages/snowmelt is another version's: {files} differ.")
        output.tell("Write this version's: snowmelt upgrade")
