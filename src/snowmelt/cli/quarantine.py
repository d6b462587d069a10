"""snowmelt quarantine"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import connected, json_option, project_option

_SHOWN_MAX = 60


@click.group("quarantine", invoke_without_command=True)
@click.option("--model", default=None, help="Only what this model refused.")
@click.option("--rule", default=None, help="Only what this rule refused.")
@click.option("--group", is_flag=True, help="Count them by model and rule.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    help="Rows shown.",
)
@project_option
@json_option
@click.pass_context
def command(context: click.Context, /, **options: Any) -> None:
    """Show rows that a silver rule refused: rule, file, record, line, values."""
    if context.invoked_subcommand is not None:
        return
    model, rule = options["model"], options["rule"]
    with connected(options["directory"]) as commands:
        if options["group"]:
            document = commands.quarantine_groups(model, rule)
        else:
            document = commands.quarantine(model, rule, options["limit"])
    if options["as_json"]:
        output.show_json(document)
    elif options["group"]:
        _show_groups(document)
    else:
        _show(document)


def _show(document: dict[str, Any]) -> None:
    columns = ("model", "rule", "state", "file_name", "file_row", "line", "values")
    rows = [[each[name] for name in columns] for each in document["rows"]]
    for row in rows:
        row[-1] = _short(row[-1])
    output.show_table(columns, rows)
    more = document["count"] + document["replayed"] - len(rows)
    if more > 0:
        output.tell(f"{more} more; see --limit")
    if document["count"]:
        output.tell("After a change of the rule they come back by themselves.")
        output.tell("To correct the rows: snowmelt quarantine export FILE.csv")


def _show_groups(document: dict[str, Any]) -> None:
    columns = ("count", "model", "rule", "first", "newest", "example")
    rows = [[group[name] for name in columns] for group in document["groups"]]
    for row in rows:
        row[-1] = _short(row[-1])
    output.show_table(columns, rows)


def _short(values: dict[str, Any]) -> str:
    text = json.dumps(values, ensure_ascii=False)
    return text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 1] + "…"


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
@click.option("--model", default=None, help="Only what this model refused.")
@click.option("--rule", default=None, help="Only what this rule refused.")
@project_option
@json_option
def export(
    path: Path,
    file_format: str,
    model: str | None,
    rule: str | None,
    directory: Path,
    as_json: bool,
) -> None:
    """Write open rows to a new file at PATH: their records and what is wrong.

    Correct rejected_record, leave out what is to stay refused, and give it back with
    snowmelt replay --edit PATH.
    """
    with connected(directory) as commands:
        document = commands.export_quarantine(
            str(path.absolute()), file_format, model, rule
        )
    if as_json:
        output.show_json(document)
        return
    output.show(f"{path}: {output.count(document['count'], 'record')}")
    output.tell(f"Correct rejected_record, then: snowmelt replay --edit {path}")
