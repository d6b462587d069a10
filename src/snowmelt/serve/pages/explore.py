"""Dashboards: the figures of dashboards/*.yml, with how fresh they are."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from snowmelt.errors import UsageError
from snowmelt.serve.cells import write_csv
from snowmelt.serve.commands import Document
from snowmelt.serve.pages.site import Site
from snowmelt.serve.pages.wording import is_number, number, short


def health_of(shell: Document) -> Document:
    """Return whether what a dashboard shows is current, in a word."""
    if shell["run_id"] is None:
        return {"word": "nothing published", "level": ""}
    if shell["last_run_failed"]:
        return {"word": "older: the last run failed", "level": "bad"}
    if shell["failed_files"] or shell["held"]:
        return {"word": "current, some files wait", "level": "warn"}
    return {"word": "current", "level": "good"}


async def show_dashboards(site: Site, request: Request) -> Response:
    """Answer `/dashboards`."""
    document = await site.ask("dashboards")
    return await site.page(
        request,
        "dashboards.html",
        heading="Dashboards",
        section="/dashboards",
        **document,
    )


async def show_dashboard(site: Site, request: Request) -> Response:
    """Answer `/dashboards/NAME`."""
    document = await site.ask("dashboard", name=request.path_params["name"])
    return await site.page(
        request,
        "dashboard.html",
        heading=document["title"],
        section="/dashboards",
        name=document["name"],
        title=document["title"],
        run_id=document["run_id"],
        shell=document["shell"],
        health=health_of(document["shell"]),
        cards=[_card(each) for each in document["cards"]],
    )


def _card(each: Document) -> Document:
    card, columns, rows = each["card"], each["columns"], each["rows"]
    numeric = [
        place
        for place in range(len(columns))
        if rows and all(row[place] is None or is_number(row[place]) for row in rows)
    ]
    shown: Document = {
        **card,
        "heading": card.get("kpi") or card.get("table") or card.get("title") or "",
        "columns": columns,
        "rows": rows,
        "numeric": numeric,
        "sql": each["sql"],
    }
    if "kpi" in card:
        value = rows[0][columns.index(card["value"])] if rows else None
        exact = float(value) if is_number(value) and isinstance(value, str) else value
        shown |= {"shown": short(value), "exact": number(exact)}
    if "chart" in card:
        shown["spec"] = _spec(card, columns, rows)
    return shown


def _spec(card: Document, columns: list[str], rows: list[list[Any]]) -> Document:
    """Return what the chart's script draws: x, y and the series of each row."""
    names = [card["x"], card["y"], *([card["series"]] if "series" in card else [])]
    places = [columns.index(name) for name in names]
    return {
        "kind": card["chart"],
        "y": card["y"],
        "series": card.get("series"),
        "rows": [[row[place] for place in places] for row in rows],
    }


async def card_csv(site: Site, request: Request) -> Response:
    """Answer `/dashboards/NAME/cards/NUMBER.csv`: all rows of one card."""
    name, place = request.path_params["name"], request.path_params["number"]
    document = await site.ask("dashboard", name=name)
    cards = document["cards"]
    if place >= len(cards):
        raise UsageError(f"card {place}", "there is no such card", "See the dashboard.")
    content = "".join(write_csv([cards[place]["columns"], *cards[place]["rows"]]))
    return Response(
        content,
        media_type="text/csv; charset=utf-8; header=present",
        headers={
            "Content-Disposition": f'attachment; filename="card_{place}.csv"',
            "X-Snowmelt-Run": document["run_id"],
        },
    )
