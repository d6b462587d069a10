"""snowmelt restore"""

from __future__ import annotations

from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import json_option, project_option


@click.command("restore")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--force", is_flag=True, help="Set a warehouse aside that is there.")
@project_option
@json_option
def command(folder: Path, force: bool, directory: Path, as_json: bool) -> int:
    """Put the warehouse of a backup FOLDER where the project has its own.

    Files that landed after the backup are loaded by the next run. Settings and pipes
    are written only where the project has none.
    """
    from snowmelt.clock import SystemClock
    from snowmelt.errors import InUseError
    from snowmelt.project.project import SETTINGS_FILE, load_project
    from snowmelt.serve.client import connect_service
    from snowmelt.warehouse.duckdb.backup import (
        read_manifest,
        restore,
        restore_project,
    )

    if not (directory / SETTINGS_FILE).exists():
        restore_project(folder, directory, read_manifest(folder))
    project = load_project(directory)
    with connect_service(project.socket) as service:
        if service is not None:
            pid = service.status()["service"]["pid"]
            raise InUseError(
                str(project.root), f"a service runs here (pid {pid})", "Stop it first."
            )
    document = restore(
        folder, project.root, project.warehouse_path, SystemClock(), force=force
    )
    if as_json:
        output.show_json({"schema_version": 1, **document})
        return 0
    output.show(f"{document['warehouse']}: as it was at {document['made_at']}")
    if document["kept"]:
        output.tell(f"The warehouse before it is kept: {document['kept']}")
    for name in document["differing"]:
        output.tell(f"{name} is not as in the backup; it was left as it is.")
    return 0
