"""snowmelt streams"""

from __future__ import annotations

from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import connected, json_option, project_option

_COLUMNS = (
    *("consumer", "source", "position", "rows_inserted", "rows_deleted"),
    *("has_data", "stale", "moved_at"),
)


@click.command("streams")
@project_option
@json_option
def command(directory: Path, as_json: bool) -> None:
    """Show how far models have read what they stream, and what waits for them."""
    with connected(directory) as commands:
        document = commands.streams()
    if as_json:
        output.show_json(document)
        return
    rows = [[stream[name] for name in _COLUMNS] for stream in document["streams"]]
    for row in rows:
        row[-1] = row[-1] and row[-1][:19].replace("T", " ")
    output.show_table(_COLUMNS, rows)
