"""snowmelt replay"""

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


@click.command("replay")
@click.option("--pipe", default=None, help="Only this pipe's rejects.")
@click.option("--file", default=None, help="Only this file's rejects.")
@click.option("--reason", default=None, help="Only errors that contain this text.")
@click.option("--category", default=None, help="Only this category, such as CAST.")
@click.option("--since", default=None, metavar="TIME", help="Refused at TIME or later.")
@click.option("--until", default=None, metavar="TIME", help="Refused before TIME.")
@click.option(
    "--edit",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    default=None,
    help="A file of `snowmelt rejects export` or `quarantine export`, corrected.",
)
@project_option
@json_option
def command(
    directory: Path, as_json: bool, edit: Path | None, **filters: str | None
) -> int:
    """Load refused records again under today's contracts, once, and publish.

    What passes keeps its origin: file, record and version, and the load that refused
    it stands in _replayed_from. What does not pass stays refused. With --edit the
    records of that file are loaded as they stand there, and no others.
    """
    from snowmelt.cli.run_summary import show_run
    from snowmelt.observe.progress import Progress

    if filters["file"]:
        filters["file"] = to_service(filters["file"])
    path = str(edit.absolute()) if edit else None
    with Progress() as progress, connected(directory, progress) as commands:
        document = commands.replay(path, **filters)
    if as_json:
        output.show_json(document)
    else:
        _show(document)
        if document["run"]:
            show_run(document["run"])
    run = document["run"]
    return 1 if run and run["state"] == "FAILED" else 0


def _show(document: dict[str, Any]) -> None:
    replayed = document["replayed"]
    if not replayed:
        output.show("There are no open rejects.")
        return
    columns = ("file_name", "tried", "loaded")
    output.show_table(columns, [[each[name] for name in columns] for each in replayed])
    for each in replayed:
        if each["problem"]:
            output.tell(f"{each['file_name']}: {each['problem']}")
