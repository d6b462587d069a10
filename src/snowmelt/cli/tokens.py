"""snowmelt tokens"""

from __future__ import annotations

from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import json_option, project_option


@click.group("tokens")
def command() -> None:
    """Say which programs may ask the service, and which may act.

    A service that runs knows at once.
    """


@command.command("add")
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["viewer", "operator"]),
    default="viewer",
    show_default=True,
    help="Viewers read; operators ask for runs, and cancel them, too.",
)
@project_option
@json_option
def add(name: str, role: str, directory: Path, as_json: bool) -> None:
    """Make a token for the program NAME, and print it: this once."""
    from snowmelt.clock import SystemClock
    from snowmelt.project.project import load_project
    from snowmelt.serve.tokens import Tokens
    from snowmelt.serve.users import Role

    project = load_project(directory)
    made_at = SystemClock().now().isoformat()
    token = Tokens(project.tokens_path).add(name, Role(role), made_at)
    if as_json:
        output.show_json(
            {"schema_version": 1, "name": name, "role": role, "token": token}
        )
        return
    output.show(token)
    output.tell(f"The token of {name}, {role}. It is not shown again.")


@command.command("remove")
@click.argument("name")
@project_option
@json_option
def remove(name: str, directory: Path, as_json: bool) -> None:
    """Remove the token of NAME; it is good for nothing from now on."""
    from snowmelt.project.project import load_project
    from snowmelt.serve.tokens import Tokens

    Tokens(load_project(directory).tokens_path).remove(name)
    if as_json:
        output.show_json({"schema_version": 1, "removed": name})
        return
    output.show(f"The token of {name} is removed.")


@command.command("list")
@project_option
@json_option
def list_tokens(directory: Path, as_json: bool) -> None:
    """Show tokens with their roles; what they are is not known any more."""
    from snowmelt.project.project import load_project
    from snowmelt.serve.tokens import Tokens

    tokens = Tokens(load_project(directory).tokens_path).all()
    if as_json:
        listed = [
            {"name": each.name, "role": each.role.value, "made_at": each.made_at}
            for each in tokens
        ]
        output.show_json({"schema_version": 1, "tokens": listed})
        return
    rows = [(each.name, each.role.value, each.made_at[:16]) for each in tokens]
    output.show_table(("name", "role", "made_at"), rows)
