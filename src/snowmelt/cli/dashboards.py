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
            value = rows[0][columns.index(card["value"])] if rows else None
            output.show(f"{card['kpi']}: {'-' if value is None else value}")
            continue
        output.show()
        output.show(card.get("title") or card["table"])
        output.show_table(columns, rows, as_named=True)


def _show_list(directory: Path, *, as_json: bool) -> None:
    from snowmelt.errors import ConfigError
    from snowmelt.project.dashboards import dashboard_names, load_dashboard
    from snowmelt.project.project import find_project

    root = find_project(directory)
    rows: list[tuple[str, str | None, int | None, str | None]] = []
    for name in dashboard_names(root):
        try:
            found = load_dashboard(root, name)
            rows.append((name, found.title, len(found.cards), None))
        except ConfigError as error:
            rows.append((name, None, None, str(error)))
    columns = ("name", "title", "cards", "problem")
    if as_json:
        listed = [dict(zip(columns, row, strict=True)) for row in rows]
        output.show_json({"schema_version": 1, "dashboards": listed})
        return
    output.show_table(columns, rows)
