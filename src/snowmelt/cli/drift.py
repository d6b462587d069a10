"""snowmelt drift"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import (
    connected,
    json_option,
    project_option,
    to_service,
)


@click.group("drift", invoke_without_command=True)
@click.option("--pipe", default=None, help="Only this pipe's files.")
@project_option
@json_option
@click.pass_context
def command(
    context: click.Context, pipe: str | None, directory: Path, as_json: bool
) -> None:
    """Show the files that wait because their columns are not the contract's."""
    if context.invoked_subcommand is not None:
        return
    with connected(directory) as commands:
        document = commands.drift(pipe)
    if as_json:
        output.show_json(document)
        return
    columns = ("file_name", "pipe_name", "difference", "column", "type", "samples")
    rows = [row for held in document["held"] for row in _rows(held)]
    output.show_table(columns, rows)
    for held in document["held"]:
        if held["problem"]:
            output.tell(f"{held['file_name']}: {held['problem']}")
        for guess in held["renamed"]:
            output.tell(
                f"{held['file_name']}: '{guess['missing']}' may be called "
                f"'{guess['new']}' now; for good: path: {guess['new']} in its pipe"
            )
        if not held["waits"]:
            output.tell(f"{held['file_name']}: it is gone or changed since")
    if document["held"]:
        output.tell("Decide with: snowmelt drift approve FILE, drift reject FILE")


@command.command("approve")
@click.argument("file", required=False)
@click.option("--pipe", default=None, help="All held files of this pipe.")
@project_option
@json_option
def approve(file: str | None, pipe: str | None, directory: Path, as_json: bool) -> int:
    """Change the contract so that FILE fits, and load it at once.

    New columns join the contract, missing ones become optional, and a column of
    another type gets a wider one.
    """
    from snowmelt.cli.run_summary import show_run
    from snowmelt.observe.progress import Progress

    if bool(file) == bool(pipe):
        raise click.UsageError("name a FILE, or --pipe")
    with Progress() as progress, connected(directory, progress) as commands:
        document = commands.approve(to_service(file) if file else None, pipe)
    run = document["run"]
    failed = [each for each in document["loads"] if each["status"] == "Load failed"]
    code = int(bool(failed) or bool(run and run["state"] == "FAILED"))
    if as_json:
        output.show_json(document)
        return code
    for each in document["approved"]:
        output.show(f"{each['file_name']}: {_changes(each)}")
    for each in document["loads"]:
        rows = output.count(each["row_count"], "row")
        output.show(f"{each['file_name']}: {each['status']}, {rows}")
        if each["first_error_message"]:
            output.tell(each["first_error_message"])
    if run:
        show_run(run)
    return code


@command.command("reject")
@click.argument("file")
@project_option
@json_option
def reject(file: str, directory: Path, as_json: bool) -> None:
    """Let the load of FILE fail; it is tried again when it or its pipe changes."""
    with connected(directory) as commands:
        document = commands.reject(to_service(file))
    if as_json:
        output.show_json(document)
        return
    told = document["rejected"]
    output.show(f"{told['file_name']} of pipe {told['pipe_name']}: {told['reason']}")


def _rows(held: dict[str, Any]) -> list[list[Any]]:
    """Return a row for each column that differs."""
    origin = [held["file_name"], held["pipe_name"]]
    new = [
        ["new", each["column_name"], each["column_type"], ", ".join(each["samples"])]
        for each in held["new"]
    ]
    missing = [["missing", name, None, None] for name in held["missing"]]
    retyped = [
        [
            "retyped",
            each["column_name"],
            f"{each['column_type']} → {each['proposed_type']}",
            ", ".join(each["samples"]),
        ]
        for each in held["retyped"]
    ]
    return [[*origin, *row] for row in (*new, *missing, *retyped)]


def _changes(approved: dict[str, Any]) -> str:
    added = [f"adds {e['column_name']} {e['column_type']}" for e in approved["added"]]
    freed = [f"{name} is optional now" for name in approved["made_optional"]]
    wider = [
        f"{each['column_name']} is {each['column_type']} now"
        for each in approved["widened"]
    ]
    return ", ".join([*added, *freed, *wider]) or "nothing had to change"
