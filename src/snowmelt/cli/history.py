"""snowmelt history"""

from __future__ import annotations

from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import connected, json_option, project_option


@click.command("history")
@click.option("--pipe", default=None, help="Only this pipe's loads.")
@click.option(
    "--status",
    type=click.Choice(
        ["Loaded", "Partially loaded", "Load failed", "Load skipped"],
        case_sensitive=False,
    ),
    default=None,
    help="Only loads that ended so.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    help="Newest first.",
)
@project_option
@json_option
def command(
    pipe: str | None, status: str | None, limit: int, directory: Path, as_json: bool
) -> None:
    """Show what became of every file, newest first."""
    with connected(directory) as commands:
        document = commands.history(pipe, status, limit)
    if as_json:
        output.show_json(document)
        return
    columns = (
        *("load_seq", "last_load_time", "pipe_name", "file_name", "status"),
        *("row_parsed", "row_count", "error_count", "first_error_message"),
    )
    rows = [[load[name] for name in columns] for load in document["loads"]]
    for row in rows:
        row[1] = row[1][:19].replace("T", " ")
    output.show_table(columns, rows)
