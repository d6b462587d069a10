"""snowmelt upgrade"""

from __future__ import annotations

from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import json_option, project_option


@click.command("upgrade")
@project_option
@json_option
def command(directory: Path, as_json: bool) -> None:
    """Write the dbt package of this version into the project.

    Models are built anew by the next run if that changes anything. A running service
    finds out by itself.
    """
    from snowmelt import __version__
    from snowmelt.project.project import find_project
    from snowmelt.transform.package import PACKAGE, write_package

    changed = write_package(find_project(directory))
    if as_json:
        output.show_json(
            {"schema_version": 1, "version": __version__, "files": changed}
        )
        return
    if not changed:
        output.show(f"{PACKAGE} is as Snowmelt {__version__} has it.")
        return
    files = output.count(len(changed), "file")
    output.show(f"Made {PACKAGE} as Snowmelt {__version__} has it: {files} changed.")
    for name in changed:
        output.show(f"  {name}")
