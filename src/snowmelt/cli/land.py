"""snowmelt land"""

from __future__ import annotations

from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import json_option, project_option


@click.command("land")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True)
)
@click.option("--into", default="", help="Sub-folder of the landing folder.")
@project_option
@json_option
def command(files: tuple[Path, ...], into: str, directory: Path, as_json: bool) -> None:
    """Put FILES into the landing folder, each whole or not at all.

    A folder among them stands for the files in it (not in its sub-folders).
    """
    from snowmelt.landing.upload import land
    from snowmelt.project.project import load_project

    project = load_project(directory)
    chosen = [
        each
        for path in files
        for each in (
            sorted(p for p in path.iterdir() if p.is_file())
            if path.is_dir()
            else [path]
        )
    ]
    names = land(chosen, project.landing, into=into)
    unmatched = [
        name for name in names if not any(pipe.matches(name) for pipe in project.pipes)
    ]
    if as_json:
        output.show_json({"schema_version": 1, "landed": names, "unmatched": unmatched})
        return
    for name in names:
        output.show(name)
    for name in unmatched:
        output.tell(f"{name}: no pipe's pattern matches; it will not be loaded")
    if not project.socket.exists():
        output.tell("Load it with: snowmelt run")
