"""snowmelt init"""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import json_option

if TYPE_CHECKING:
    from snowmelt.project.adopt import Adoption


@click.command("init")
@click.argument(
    "directory", type=click.Path(path_type=Path, file_okay=False), required=False
)
@click.option("--template", default=None, help="Which template; asked for without it.")
@click.option("--airflow", is_flag=True, help="Write a DAG for Airflow, too.")
@click.option("--github", is_flag=True, help="Write a workflow for GitHub, too.")
@click.option("--no-input", is_flag=True, help="Never ask; name what is missing.")
@json_option
def command(
    directory: Path | None,
    template: str | None,
    airflow: bool,
    github: bool,
    no_input: bool,
    as_json: bool,
) -> None:
    """Make a project in DIRECTORY from a template, or adopt a dbt project.

    It is named after DIRECTORY. Where a dbt project stands, here without DIRECTORY, it
    is adopted: what is missing is added. Nothing is ever overwritten. In a project that
    Snowmelt has made already `--airflow` and `--github` add only what they name.
    """
    from snowmelt.project.adopt import is_dbt_project

    place = directory or Path()
    more = {"airflow": airflow, "github": github}
    _require_room(place, more)
    if template is None and any(more.values()) and _is_made(place):
        _add(place, more, as_json)
    elif template is None and is_dbt_project(place):
        _adopt(place, more, as_json)
    elif directory is None:
        raise click.UsageError("Missing argument 'DIRECTORY': no dbt project is here.")
    else:
        template = template or _ask_template(no_input)
        _make(directory, template, more, as_json)


def _require_room(place: Path, more: dict[str, bool]) -> None:
    from snowmelt.project.extras import require_room

    require_room(place, **more)


def _is_made(place: Path) -> bool:
    from snowmelt.project.project import SETTINGS_FILE

    return (place / SETTINGS_FILE).exists()


def _add(directory: Path, more: dict[str, bool], as_json: bool) -> None:
    from snowmelt.project.extras import write_extras

    made = write_extras(directory, None, **more)
    if as_json:
        document = {"schema_version": 1, "directory": str(directory), "files": made}
        output.show_json(document)
        return
    output.show(f"Added: {', '.join(made)}.")


def _ask_template(no_input: bool) -> str:
    from snowmelt.project.new import template_names

    return _ask(template_names(), no_input)


def _make(directory: Path, template: str, more: dict[str, bool], as_json: bool) -> None:
    from snowmelt.project.extras import write_extras
    from snowmelt.project.new import make_project, name_of

    made = make_project(directory, template, name_of(directory))
    made += write_extras(directory, template, **more)
    _open(directory)
    if as_json:
        output.show_json(
            {"schema_version": 1, "directory": str(directory), "files": made}
        )
        return
    files = output.count(len(made), "file")
    output.show(f"Made {directory} from template {template}: {files}.")
    show_next()
    output.show(f"  cd {shlex.quote(str(directory))}")
    output.show("  snowmelt land FILE...     # or copy files into landing/")
    output.show("  snowmelt up               # or once: snowmelt run")


def _adopt(directory: Path, more: dict[str, bool], as_json: bool) -> None:
    from snowmelt.project.adopt import adopt_project
    from snowmelt.project.extras import write_extras
    from snowmelt.project.project import SETTINGS_FILE

    adoption = adopt_project(directory)
    adoption.added.extend(write_extras(directory, None, **more))
    if SETTINGS_FILE in adoption.added:
        _open(directory)
    if as_json:
        output.show_json(
            {
                "schema_version": 1,
                "directory": str(directory),
                "files": adoption.added,
                "changed": adoption.changed,
                "there": adoption.there,
                "layers": adoption.settings.layers.model_dump(),
                "tables": adoption.tables,
            }
        )
        return
    _show_adoption(adoption)


def _show_adoption(adoption: Adoption) -> None:
    name, layers = adoption.settings.name, adoption.settings.layers
    if not adoption.added and not adoption.changed:
        output.show(f"{name} is a Snowmelt project already; nothing was changed.")
        output.show(f"There: {', '.join(adoption.there)}.")
        return
    output.show(f"Adopted dbt project {name}.")
    output.show(f"Added: {', '.join(adoption.added) or 'nothing'}.")
    if adoption.changed:
        output.show(f"Lines added to: {', '.join(adoption.changed)}.")
    if adoption.there:
        output.show(f"Left as they are: {', '.join(adoption.there)}.")
    output.show(
        f"Pipes load into schema {layers.bronze}; models that name no schema are "
        f"built in {layers.default} (snowmelt.yml: layers)."
    )
    if adoption.elsewhere:
        output.show(f"No pipe can fill: {', '.join(adoption.elsewhere)}.")
    show_next()
    if adoption.tables:
        output.show("  # a pipe for each table that your sources name")
    for table in adoption.tables or ["NAME"]:
        output.show(
            f"  snowmelt infer FILE... --name {table} --pattern '{table}*.csv' --write"
        )
    output.show("  snowmelt land FILE...     # or copy files into landing/")
    output.show("  snowmelt run              # or whenever files land: snowmelt up")


def show_next() -> None:
    """Begin what comes next: with how `snowmelt` is found, if the shell finds none."""
    output.show("Next:")
    own, found = Path(sys.executable).parent, shutil.which("snowmelt")
    is_found = found is not None and Path(found).resolve().parent == own.resolve()
    if not is_found and (own / "activate").is_file():
        output.show(f"  . {shlex.quote(str(own / 'activate'))}")


def _open(directory: Path) -> None:
    """Open a project once: that makes its warehouse, and what dbt reads of it."""
    from snowmelt.clock import SystemClock
    from snowmelt.events import Events
    from snowmelt.project.project import load_project
    from snowmelt.service.opening import opened

    with opened(load_project(directory), SystemClock(), Events(), "snowmelt init"):
        pass


def _ask(names: list[str], no_input: bool) -> str:
    from snowmelt.errors import UsageError

    if no_input or not sys.stdin.isatty():
        raise UsageError("--template", "it is required", f"One of: {', '.join(names)}.")
    return str(click.prompt("Template", type=click.Choice(names), err=True))
