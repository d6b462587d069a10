"""snowmelt runs"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import connected, json_option, project_option

_COLUMNS = ("run_id", "state", "reason", "way", "models", "tests", "failed_nodes")
_NODE_COLUMNS = ("node", "resource_type", "status", "seconds", "failures", "message")


@click.command("runs")
@click.argument("run", required=False)
@click.option(
    "--limit",
    type=click.IntRange(min=1, max=200),
    default=20,
    show_default=True,
    help="Newest first.",
)
@project_option
@json_option
def command(run: str | None, limit: int, directory: Path, as_json: bool) -> None:
    """Show the runs that built gold, or every model and test of the one RUN."""
    with connected(directory) as commands:
        document = commands.run_detail(run) if run else commands.runs(None, limit)
    if as_json:
        output.show_json(document)
    elif run:
        _show_run(document)
    else:
        rows = [
            [each["started_at"][:19].replace("T", " "), *(each[n] for n in _COLUMNS)]
            for each in document["runs"]
        ]
        output.show_table(("began", *_COLUMNS), rows)


def _show_run(document: dict[str, Any]) -> None:
    nodes = document["nodes"]
    rows = [[node[name] for name in _NODE_COLUMNS] for node in nodes]
    for row in rows:
        row[3] = round(row[3], 3)
        row[5] = row[5] and row[5][:80]
    output.show_table(_NODE_COLUMNS, rows)
    run = document["run"]
    output.tell(f"{run['state']}: {run['error'] or run['reason']}")
    for failure in document["failures"]:
        for row in failure["rows"][:5]:
            output.tell(f"  {failure['node']}: {row}")
