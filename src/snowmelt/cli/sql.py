"""snowmelt sql"""

from __future__ import annotations

from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import connected, json_option, project_option


@click.command("sql")
@click.argument("query")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=None,
    help="Rows at most. All without it; of a target up to 10,000, more are an error.",
)
@project_option
@json_option
def command(query: str, limit: int | None, directory: Path, as_json: bool) -> None:
    """Ask the warehouse one QUERY; reading only, from one consistent snapshot."""
    with connected(directory) as commands:
        document = commands.query(query, limit)
    if as_json:
        output.show_json(document)
        return
    output.show_table(document["columns"], document["rows"], as_named=True)
