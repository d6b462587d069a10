"""snowmelt link"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import (
    chosen_project,
    connected,
    json_option,
    project_option,
)
from snowmelt.cli.target_option import chosen_target


@click.command("link")
@click.option(
    "--dashboard",
    help="A link that shows this dashboard, and nothing else, to whoever has it.",
)
@click.option(
    "--days",
    type=int,
    default=30,
    show_default=True,
    help="How long such a link works.",
)
@click.option(
    "--origin",
    "origins",
    multiple=True,
    help="A site that may show it in a frame, such as https://intranet.example.",
)
@click.option(
    "--filter",
    "filters",
    multiple=True,
    help="What is chosen on it, for good: NAME=VALUE. May be repeated.",
)
@click.option("--list", "listed", is_flag=True, help="Show the links to dashboards.")
@click.option("--revoke", metavar="ID", help="Take a link to a dashboard back.")
@project_option
@json_option
def command(
    listed: bool, revoke: str | None, directory: Path, as_json: bool, **words: Any
) -> None:
    """Print a link that opens the pages of the running service, once.

    Whoever may run commands in the project may do everything on its pages. With
    --dashboard the link shows one dashboard to anybody who has it, until it is over or
    taken back.
    """
    if listed:
        _list(directory, as_json=as_json)
    elif revoke is not None:
        _revoke(directory, revoke, as_json=as_json)
    elif words["dashboard"] is not None:
        _share(directory, words, as_json=as_json)
    else:
        _open(directory, as_json=as_json)


def _open(directory: Path, *, as_json: bool) -> None:
    from snowmelt.errors import UnreachableError
    from snowmelt.project.project import find_project, socket_of
    from snowmelt.serve.client import connect_service

    root, target = find_project(directory), chosen_target()
    socket, start = socket_of(root), "snowmelt up"
    if target is not None:
        socket = chosen_project(directory).socket
        start = f"snowmelt observe --target {target}"
    with connect_service(socket) as service:
        if service is None:
            raise UnreachableError(
                str(root), "no service runs", f"Start it with: {start}"
            )
        document = service.start_link()
    if as_json:
        output.show_json(document)
        return
    output.show(document["link"])
    output.tell("It works once, within twelve hours.")


def _share(directory: Path, words: dict[str, Any], *, as_json: bool) -> None:
    from snowmelt.serve.client import ServiceClient

    chosen = urlencode(filter_pairs(words["filters"]))
    with connected(directory) as commands:
        document = commands.share(
            words["dashboard"], words["days"], words["origins"], chosen or None
        )
        url = ""
        if isinstance(commands, ServiceClient):
            url = str(commands.start_link()["url"])
    document["link"] = f"{url}{document['path']}"
    if as_json:
        output.show_json(document)
        return
    output.show(document["link"])
    if not url:
        output.tell("It is below the pages' address, while `snowmelt up` runs.")
    frames = ", ".join(document["origins"]) or "no site"
    output.tell(f"It works until {document['until'][:10]}; {frames} may frame it.")
    output.tell(f"Take it back with: snowmelt link --revoke {document['id']}")


def filter_pairs(given: tuple[str, ...]) -> list[tuple[str, str]]:
    """Read options NAME=VALUE. Raises UsageError for one that is none."""
    from snowmelt.errors import UsageError

    pairs = []
    for each in given:
        name, sign, value = each.partition("=")
        if not sign:
            raise UsageError("--filter", f"'{each}' is no filter", "Write NAME=VALUE.")
        pairs.append((name.strip(), value))
    return pairs


def _list(directory: Path, *, as_json: bool) -> None:
    with connected(directory) as commands:
        document = commands.shares()
    if as_json:
        output.show_json(document)
        return
    columns = ("id", "dashboard", "filters", "origins", "until")
    rows = [
        (
            each["id"],
            each["dashboard"],
            each["filters"],
            " ".join(each["origins"]),
            each["until"][:16],
        )
        for each in document["shares"]
    ]
    output.show_table(columns, rows)


def _revoke(directory: Path, share: str, *, as_json: bool) -> None:
    with connected(directory) as commands:
        document = commands.unshare(share)
    if as_json:
        output.show_json(document)
        return
    output.show(f"The link to {document['dashboard']} shows nothing any more.")
