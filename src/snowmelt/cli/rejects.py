"""snowmelt rejects"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import connected, json_option, project_option


@click.command("rejects")
@click.option("--pipe", default=None, help="Only this pipe's rejects.")
@click.option("--file", default=None, help="Only this file's rejects.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    help="Records shown.",
)
@project_option
@json_option
def command(
    pipe: str | None, file: str | None, limit: int, directory: Path, as_json: bool
) -> None:
    """Show records that were refused: file, line, column, reason, raw text."""
    with connected(directory) as commands:
        document = commands.rejects(pipe, file, limit)
    if as_json:
        output.show_json(document)
        return
    rejects = document["rejects"]
    columns = ("file_name", "line", "column_name", "error", "rejected_record")
    rows = [[each[name] for name in columns] for each in rejects]
    for row in rows:
        row[-1] = row[-1] if len(row[-1]) <= 60 else row[-1][:59] + "…"
    output.show_table(columns, rows)
    for category, number in Counter(each["category"] for each in rejects).most_common():
        output.tell(f"{number:>6} {category.lower()}")
    if document["count"] > len(rejects):
        output.tell(f"{document['count'] - len(rejects)} more; see --limit")
    if rejects:
        output.tell("After a fix of the pipe: snowmelt replay")
