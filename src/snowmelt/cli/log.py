"""snowmelt log"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import connected, json_option, project_option

_COLUMNS = (
    *("started_at", "step", "object", "status", "seconds"),
    *("rows_in", "rows_out", "rows_rejected", "error"),
)


@click.command("log")
@click.option("--run", metavar="ID", default=None, help="Only steps of this run.")
@click.option(
    "--step",
    metavar="STEP",
    default=None,
    help="Only these: notification, listing, request, copy, replay, run, model, test, "
    "publish, after_load, expectation.",
)
@click.option(
    "--object",
    "chosen",
    metavar="NAME",
    default=None,
    help="Only steps of this file, model, test or pipe.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    help="Newest first.",
)
@project_option
@json_option
def command(
    run: str | None,
    step: str | None,
    chosen: str | None,
    limit: int,
    directory: Path,
    as_json: bool,
) -> None:
    """Show every step of the pipeline, newest first."""
    with connected(directory) as commands:
        document = commands.log(run, step, chosen, limit)
    if as_json:
        output.show_json(document)
        return
    output.show_table(_COLUMNS, [_row(each) for each in document["steps"]])
    if document.get("artifacts"):
        output.tell(f"dbt's artifacts of this run: {document['artifacts']}")


def _row(step: dict[str, Any]) -> list[Any]:
    began = datetime.fromisoformat(step["started_at"])
    ended = datetime.fromisoformat(step["ended_at"] or step["started_at"])
    told = step | {
        "started_at": step["started_at"][:19].replace("T", " "),
        "seconds": f"{(ended - began).total_seconds():.3f}",
    }
    return [told[name] for name in _COLUMNS]
