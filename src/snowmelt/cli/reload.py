"""snowmelt reload"""

from __future__ import annotations

from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import (
    connected,
    json_option,
    project_option,
    to_service,
)


@click.command("reload")
@click.argument("files", nargs=-1, required=True)
@project_option
@json_option
def command(files: tuple[str, ...], directory: Path, as_json: bool) -> int:
    """Load FILES again although they are loaded, and publish.

    The rows of what lies there now replace those of every earlier load of the name,
    in one commit. A file that fails leaves the rows there are.
    """
    from snowmelt.cli.run import exit_code
    from snowmelt.cli.run_summary import show_summary
    from snowmelt.observe.progress import Progress

    with Progress() as progress, connected(directory, progress) as commands:
        document = commands.reload([to_service(file) for file in files])
    if as_json:
        output.show_json(document)
    else:
        show_summary(document)
    return exit_code(document)
