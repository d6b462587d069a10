"""snowmelt replay"""

from __future__ import annotations

from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import connected, json_option, project_option


@click.command("replay")
@click.option("--pipe", default=None, help="Only this pipe's rejects.")
@click.option("--file", default=None, help="Only this file's rejects.")
@project_option
@json_option
def command(pipe: str | None, file: str | None, directory: Path, as_json: bool) -> int:
    """Load refused records again under today's contracts, and publish.

    What passes keeps its origin: file, record and version. What does not pass stays
    refused.
    """
    from snowmelt.cli.run_summary import show_run
    from snowmelt.observe.progress import Progress

    with Progress() as progress, connected(directory, progress) as commands:
        document = commands.replay(pipe, file)
    if as_json:
        output.show_json(document)
    elif not document["replayed"]:
        output.show("There are no open rejects.")
    else:
        columns = ("file_name", "tried", "loaded")
        output.show_table(
            columns, [[each[name] for name in columns] for each in document["replayed"]]
        )
        if document["run"]:
            show_run(document["run"])
    run = document["run"]
    return 1 if run and run["state"] == "FAILED" else 0
