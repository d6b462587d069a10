"""snowmelt backup"""

from __future__ import annotations

from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import connected, json_option, project_option


@click.command("backup")
@click.argument("folder", type=click.Path(path_type=Path))
@project_option
@json_option
def command(folder: Path, directory: Path, as_json: bool) -> int:
    """Copy the warehouse, settings and pipes into a new FOLDER, while they are in use.

    The copy was opened and counted before the folder has its name. Models are not in
    it: they are the project's, and belong in version control.
    """
    with connected(directory) as commands:
        document = commands.backup(str(folder.resolve()))
    if as_json:
        output.show_json(document)
        return 0
    size = document["files"]["warehouse.duckdb"]["bytes"]
    loads = document["row_counts"]["snowmelt.load_history"]
    output.show(
        f"{document['folder']}: {output.count(loads, 'load')}, "
        f"{size / (1 << 20):,.1f} MiB"
    )
    output.tell(f"Put it back with: snowmelt restore {document['folder']}")
    return 0
