"""The catalog: every table there is, and everything about one."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from snowmelt.serve.commands import Document
from snowmelt.serve.pages.addresses import chosen_of, first_rows_href, trace_href
from snowmelt.serve.pages.drawing import line_points
from snowmelt.serve.pages.site import Site
from snowmelt.serve.pages.wording import is_number


async def show_catalog(site: Site, request: Request) -> Response:
    """Answer `/catalog`: tables by layer, those that a text is in, or of one layer."""
    chosen = chosen_of(request, "q", "layer")
    document = await site.ask("catalog")
    layers: dict[str, list[Document]] = {}
    for each in document["tables"]:
        if _is_meant(each, chosen):
            layers.setdefault(each["layer"], []).append(each)
    return await site.page(
        request,
        "catalog.html",
        heading="Catalog",
        section="/catalog",
        shell=document["shell"],
        chosen=chosen,
        names=list(dict.fromkeys(each["layer"] for each in document["tables"])),
        count=len(document["tables"]),
        layers=layers,
    )


def _is_meant(table: Document, chosen: dict[str, str | None]) -> bool:
    text = f"{table['key']} {table['description']} {table['owner']}".lower()
    wanted = (chosen["q"] or "").lower()
    return wanted in text and chosen["layer"] in (None, table["layer"])


async def show_table(site: Site, request: Request) -> Response:
    """Answer `/catalog/NAME`."""
    document = await site.ask("table", name=request.path_params["name"])
    table, sample = document["table"], document["sample"]
    keys = document["key_columns"]
    rows = [
        {"cells": row, "trace": _trace_of(table["key"], keys, sample["columns"], row)}
        for row in sample["rows"]
    ]
    numeric = [
        place
        for place in range(len(sample["columns"]))
        if rows
        and all(r["cells"][place] is None or is_number(r["cells"][place]) for r in rows)
    ]
    masked = {each["name"] for each in document["columns"] if each["is_masked"]}
    return await site.page(
        request,
        "table.html",
        heading=table["key"],
        section="/catalog",
        rows=rows,
        numeric=numeric,
        masked=masked,
        sql_href=first_rows_href(table["key"]),
        is_gold=table["layer"] == "gold",
        points=line_points([each["rows"] for each in document["history"]]),
        around="/lineage?" + urlencode({"select": f"1+{_selector(table)}+1"}),
        **document,
    )


def _selector(table: Document) -> str:
    return f"source:{table['key']}" if table["pipe_name"] else str(table["key"])


def _trace_of(
    key: str, names: list[str], columns: list[str], row: list[Any]
) -> str | None:
    """Return where a row is traced; None where nothing names it."""
    if not names or not set(names) <= set(columns):
        return None
    values = {name: row[columns.index(name)] for name in names}
    if any(value is None for value in values.values()):
        return None
    return trace_href(key, values)


async def show_profile(site: Site, request: Request) -> Response:
    """Answer `/catalog/NAME/profile`: a part of the page, or a page of its own."""
    name = request.path_params["name"]
    profile = await site.ask("profile", name=name)
    if request.headers.get("hx-request") == "true":
        return HTMLResponse(site.render("profile_part.html", profile=profile))
    return await site.page(
        request,
        "profile.html",
        heading=f"Profile of {profile['name']}",
        section="/catalog",
        shell=await site.ask("shell"),
        profile=profile,
    )
