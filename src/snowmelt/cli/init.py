"""snowmelt init"""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import json_option


@click.command("init")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--template", default=None, help="Which template; asked for without it.")
@click.option("--no-input", is_flag=True, help="Never ask; name what is missing.")
@json_option
def command(
    directory: Path, template: str | None, no_input: bool, as_json: bool
) -> None:
    """Make a project in DIRECTORY from a template. Nothing is ever overwritten."""
    from snowmelt.clock import SystemClock
    from snowmelt.events import Events
    from snowmelt.project.new import make_project, template_names
    from snowmelt.project.project import load_project
    from snowmelt.service.opening import opened

    if template is None:
        template = _ask(template_names(), no_input)
    made = make_project(directory, template)
    with opened(load_project(directory), SystemClock(), Events()):
        pass  # opening makes the warehouse, the sources file and the schemas
    if as_json:
        output.show_json(
            {"schema_version": 1, "directory": str(directory), "files": made}
        )
        return
    files = output.count(len(made), "file")
    output.show(f"Made {directory} from template {template}: {files}.")
    output.show("Next:")
    output.show(f"  cd {shlex.quote(str(directory))}")
    output.show("  snowmelt land FILE...     # or copy files into landing/")
    output.show("  snowmelt up               # or once: snowmelt run")


def _ask(names: list[str], no_input: bool) -> str:
    import sys

    from snowmelt.errors import UsageError

    if no_input or not sys.stdin.isatty():
        raise UsageError("--template", "it is required", f"One of: {', '.join(names)}.")
    return str(click.prompt("Template", type=click.Choice(names), err=True))
