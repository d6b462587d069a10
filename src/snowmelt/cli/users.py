"""snowmelt users"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import json_option, project_option


@click.group("users")
def command() -> None:
    """Say who may see the pages with a password, and who may act there.

    A service that runs knows at once.
    """


@command.command("add")
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(["viewer", "operator"]),
    default="viewer",
    show_default=True,
    help="Viewers look; operators act, too.",
)
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input."
)
@project_option
@json_option
def add(
    name: str, role: str, password_stdin: bool, directory: Path, as_json: bool
) -> None:
    """Add the user NAME, or give them another role and password."""
    from snowmelt.clock import SystemClock
    from snowmelt.project.project import load_project
    from snowmelt.serve.users import Role, Users

    project = load_project(directory)
    password = _password(password_stdin)
    now = SystemClock().now().isoformat()
    known = Users(project.users_path).add(name, Role(role), password, now)
    if as_json:
        output.show_json({"schema_version": 1, "name": name, "role": role})
        return
    output.show(f"{name} is {'now' if known else 'added as'} {role}.")


def _password(from_stdin: bool) -> str:
    """Ask for a password twice, or read it once from a program."""
    from snowmelt.errors import UsageError

    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    if not sys.stdin.isatty():
        raise UsageError(
            "users add", "nobody can be asked for a password", "Use --password-stdin."
        )
    answer: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return answer


@command.command("remove")
@click.argument("name")
@project_option
@json_option
def remove(name: str, directory: Path, as_json: bool) -> None:
    """Remove the user NAME; their sessions end."""
    from snowmelt.project.project import load_project
    from snowmelt.serve.users import Users

    Users(load_project(directory).users_path).remove(name)
    if as_json:
        output.show_json({"schema_version": 1, "removed": name})
        return
    output.show(f"{name} is removed.")


@command.command("list")
@project_option
@json_option
def list_users(directory: Path, as_json: bool) -> None:
    """Show users with their roles."""
    from snowmelt.project.project import load_project
    from snowmelt.serve.users import Users

    users = Users(load_project(directory).users_path).all()
    if as_json:
        listed = [
            {"name": user.name, "role": user.role.value, "changed_at": user.changed_at}
            for user in users
        ]
        output.show_json({"schema_version": 1, "users": listed})
        return
    rows = [(user.name, user.role.value, user.changed_at[:16]) for user in users]
    output.show_table(("name", "role", "changed_at"), rows)
