"""snowmelt dashboards"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

from snowmelt.cli import output
from snowmelt.cli.link import filter_pairs
from snowmelt.cli.project_option import connected, json_option, project_option


@click.command("dashboards")
@click.argument("name", required=False)
@click.option(
    "--filter",
    "filters",
    multiple=True,
    help="What is chosen: NAME=VALUE, as in the page's address. May be repeated.",
)
@click.option(
    "--exposures",
    is_flag=True,
    help="Write the dashboards as dbt's exposures, among the models.",
)
@project_option
@json_option
def command(
    name: str | None,
    filters: tuple[str, ...],
    exposures: bool,
    directory: Path,
    as_json: bool,
) -> None:
    """List the project's dashboards, or show the figures of the one of this NAME."""
    if exposures:
        _write_exposures(directory, as_json=as_json)
        return
    if name is None:
        _show_list(directory, as_json=as_json)
        return
    chosen = urlencode(filter_pairs(filters))
    with connected(directory) as commands:
        document = commands.dashboard(name, chosen or None)
    if as_json:
        output.show_json(document)
        return
    output.show(document["title"])
    for each in document["filters"]:
        _show_filter(each)
    output.show()
    for each in document["cards"]:
        _show_card(each)
    if document["shell"]["target"]:
        as_of = str(document["health"]["data_as_of"])[:19].replace("T", " ")
        output.tell(f"{document['shell']['target']}: data as of {as_of} UTC")
    _tell_unpublished(document["cards"])
    if document["unconfirmed"]:
        output.tell(
            "Not confirmed: gold may have been published while this was asked "
            f"({document['unconfirmed']}). Ask again to know."
        )


def _tell_unpublished(cards: list[dict[str, Any]]) -> None:
    found = sorted({name for each in cards for name in each.get("unpublished", ())})
    if found:
        output.tell(
            f"{', '.join(found)}: as the newest run left it; only gold is published as "
            "a whole."
        )


def _show_filter(each: dict[str, Any]) -> None:
    if not each["is_active"]:
        return
    told = ", ".join(each["values"])
    if each["type"] == "date_range":
        told = f"{each['from'] or 'the first day'} to {each['to'] or 'the newest'}"
    output.show(f"{each['label']}: {told}")


def _show_card(each: dict[str, Any]) -> None:
    card, columns, rows = each["card"], each["columns"], each["rows"]
    if "kpi" not in card:
        output.show()
        output.show(card.get("title") or card["table"])
        output.show_table(columns, rows, as_named=True)
        return
    value = rows[0][columns.index(card["value"])] if rows else None
    output.show(f"{card['kpi']}: {'-' if value is None else value}")
    compared = each.get("comparison")
    if compared is None:
        return
    if compared["change"] is None:
        if not compared["why"]:
            return
        output.show(f"  nothing to compare with: {compared['why']}")
    else:
        between = f"from {compared['from']} to {compared['to']}"
        output.show(f"  {compared['change']:+.1%} than {compared['value']} {between}")


def _write_exposures(directory: Path, *, as_json: bool) -> None:
    from snowmelt.project.project import load_project
    from snowmelt.service.boards.exposures import write_exposures

    project = load_project(directory)
    path, is_new = write_exposures(project)
    shown = str(path.relative_to(project.root))
    if as_json:
        document = {"schema_version": 1, "file": shown, "is_new": is_new}
        output.show_json(document)
        return
    output.show(f"{shown} {'is written' if is_new else 'says so already'}.")


def _show_list(directory: Path, *, as_json: bool) -> None:
    with connected(directory) as commands:
        document = commands.dashboards()
    if as_json:
        output.show_json(document)
        return
    rows = []
    for each in document["dashboards"]:
        health, as_of = each["health"], each["health"]["data_as_of"]
        rows.append(
            [
                *(each["name"], each["title"], each["cards"], health["word"]),
                as_of and as_of[:19].replace("T", " "),
            ]
        )
    output.show_table(("name", "title", "cards", "state", "data_as_of"), rows)
    for each in document["dashboards"]:
        if each["problem"]:
            output.tell(f"{each['name']}: {each['problem']}")
        for reason in each["health"]["reasons"]:
            output.tell(f"{each['name']}: {reason['told']}")
