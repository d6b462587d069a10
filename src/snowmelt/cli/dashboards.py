"""snowmelt dashboards"""

from __future__ import annotations

from pathlib import Path

import click

from snowmelt.cli import output
from snowmelt.cli.project_option import connected, json_option, project_option


@click.command("dashboards")
@click.argument("name", required=False)
@project_option
@json_option
def command(name: str | None, directory: Path, as_json: bool) -> None:
    """List the project's dashboards, or show the figures of the one of this NAME."""
    if name is None:
        _show_list(directory, as_json=as_json)
        return
    with connected(directory) as commands:
        document = commands.dashboard(name)
    if as_json:
        output.show_json(document)
        return
    output.show(document["title"])
    output.show()
    for each in document["cards"]:
        card, columns, rows = each["card"], each["columns"], each["rows"]
        if "kpi" in card:
            value = rows[0][columns.index(card["value"])] if rows else "no data"
            output.show(f"{card['kpi']}: {value}")
            continue
        output.show()
        output.show(card.get("title") or card["table"])
        output.show_table(columns, rows, as_named=True)


def _show_list(directory: Path, *, as_json: bool) -> None:
    from snowmelt.project.dashboards import load_dashboards
    from snowmelt.project.project import find_project

    found = load_dashboards(find_project(directory))
    columns = ("name", "title", "cards")
    rows = [(name, each.title, len(each.cards)) for name, each in found.items()]
    if as_json:
        listed = [dict(zip(columns, row, strict=True)) for row in rows]
        output.show_json({"schema_version": 1, "dashboards": listed})
        return
    output.show_table(columns, rows)
