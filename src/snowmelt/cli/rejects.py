"""snowmelt rejects"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from shlex import quote
from typing import Any

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import (
    connected,
    json_option,
    project_option,
    to_service,
)
from snowmelt.cli.target_option import chosen_target

_ENCODING = "INVALID ENCODING"


@click.group("rejects", invoke_without_command=True)
@click.option("--pipe", default=None, help="Only this pipe's rejects.")
@click.option("--file", default=None, help="Only this file's rejects.")
@click.option("--group", is_flag=True, help="Count them by what is wrong.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    help="Records shown.",
)
@project_option
@json_option
@click.pass_context
def command(context: click.Context, /, **options: Any) -> None:
    """Show records that were refused: file, line, column, reason, raw text."""
    if context.invoked_subcommand is not None:
        return
    file = options["file"] and to_service(options["file"])
    with connected(options["directory"]) as commands:
        if options["group"]:
            document = commands.reject_groups(options["pipe"], file)
        else:
            document = commands.rejects(options["pipe"], file, options["limit"])
    if options["as_json"]:
        output.show_json(document)
    elif options["group"]:
        _show_groups(document)
    else:
        _show(document)


def _show(document: dict[str, Any]) -> None:
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
    if rejects and chosen_target() is not None:
        output.tell("Correct them in the file, and put it under another name.")
    elif rejects:
        file = next((e["file_name"] for e in rejects if e["category"] == _ENCODING), "")
        if file:
            output.tell(f"What to do about its encoding: snowmelt why {quote(file)}")
        output.tell("After a fix of the pipe: snowmelt replay")
        output.tell("To correct the records: snowmelt rejects export FILE.csv")


def _show_groups(document: dict[str, Any]) -> None:
    columns = (
        *("count", "pipe_name", "category", "column_name", "reason"),
        *("first", "newest"),
    )
    rows = [[group[name] for name in columns] for group in document["groups"]]
    output.show_table(columns, rows)
    if rows and chosen_target() is None:
        output.tell("After a fix of the pipe: snowmelt replay --reason 'REASON'")


@command.command("export")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["csv", "ndjson"]),
    default="csv",
    show_default=True,
    help="How it is written.",
)
@click.option("--pipe", default=None, help="Only this pipe's rejects.")
@click.option("--file", default=None, help="Only this file's rejects.")
@project_option
@json_option
def export(
    path: Path,
    file_format: str,
    pipe: str | None,
    file: str | None,
    directory: Path,
    as_json: bool,
) -> None:
    """Write open rejects to a new file at PATH: raw records and what is wrong.

    Correct rejected_record, leave out what is to stay refused, and give it back with
    snowmelt replay --edit PATH.
    """
    chosen = file and to_service(file)
    with connected(directory) as commands:
        document = commands.export_rejects(
            str(path.absolute()), file_format, pipe, chosen
        )
    if as_json:
        output.show_json(document)
        return
    output.show(f"{path}: {output.count(document['count'], 'record')}")
    output.tell(f"Correct rejected_record, then: snowmelt replay --edit {path}")
