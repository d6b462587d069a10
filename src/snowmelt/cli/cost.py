"""snowmelt cost"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import connected, json_option, project_option

_PIPES = ("pipe_name", "credits_used", "files_inserted", "credits_per_1000_files")
_WAREHOUSES = (
    *("warehouse_name", "credits_used", "credits_models", "credits_others"),
    "credits_idle",
)
_MODELS = ("name", "resource_type", "credits_used", "seconds", "statements")


@click.command("cost")
@click.option(
    "--days",
    type=click.IntRange(1, 180),
    default=7,
    show_default=True,
    help="How many days back.",
)
@project_option
@json_option
def command(days: int, directory: Path, as_json: bool) -> None:
    """Show what a target took of credits: pipes, warehouse, models.

    Of a warehouse's hours each model has the part that its statements ran: an
    estimate, as an account bills hours and not statements.
    """
    with connected(directory) as commands:
        document = commands.cost(days)
    if as_json:
        output.show_json(document)
    elif document["target"] is None:
        output.tell(document["needs"])
    else:
        _show(document)


def _show(document: dict[str, Any]) -> None:
    for columns, rows in (
        (_PIPES, document["pipes"]),
        (_WAREHOUSES, document["warehouses"]),
        (_MODELS, document["models"]),
    ):
        output.show_table(columns, [[_shown(row[n]) for n in columns] for row in rows])
    credits = document["credits"]
    output.tell(
        f"{credits['total']:.4g} credits in {output.count(document['days'], 'day')}: "
        f"{credits['pipes']:.4g} of pipes, {credits['warehouse']:.4g} of the warehouse."
    )
    for problem in document["target"]["problems"]:
        output.tell(f"{problem['source']}: {problem['problem']}. {problem['remedy']}")


def _shown(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value
