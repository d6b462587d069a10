"""Lineage: from files to dashboards, a node and its neighbours, a column's origin."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from snowmelt.errors import UsageError
from snowmelt.serve.commands import Document
from snowmelt.serve.pages.addresses import chosen_of
from snowmelt.serve.pages.explore import with_hrefs
from snowmelt.serve.pages.lineage_drawing import around, draw
from snowmelt.serve.pages.site import Site
from snowmelt.serve.pages.wording import link

SELECTOR_LENGTH_MAX = 300
NEEDED = "1+state:bad+1 1+state:warn+1"


async def show_lineage(site: Site, request: Request) -> Response:
    """Answer `/lineage`: what `select` means, layers of `fold` folded up."""
    chosen = chosen_of(request, "select", "fold", "column")
    select = (chosen["select"] or "")[:SELECTOR_LENGTH_MAX].strip() or None
    fold = request.query_params.get("fold")
    problem = None
    try:
        document = await site.ask("lineage", select=select, fold=fold)
    except UsageError as error:
        problem = error
        document = await site.ask("lineage", select=None, fold=fold)
    centre = document["centre"]
    nodes = [{**each, "href": _href(each, fold)} for each in document["nodes"]]
    here = centre["id"] if centre else None
    is_reader = centre is not None and centre["kind"] in ("dashboard", "exposure")
    column, fed = await _column(site, centre, chosen["column"])
    return await site.page(
        request,
        "lineage.html",
        heading="Lineage",
        section="/lineage",
        drawing=draw(
            nodes, document["edges"], centre=here, left_out=document["left_out"]
        ),
        select=select or "",
        problem=problem,
        column=column,
        fed=fed,
        here=here,
        links=_links(centre, document["shell"]["target"]),
        reasons=with_hrefs(centre["reasons"], document["shell"]["target"])
        if centre and is_reader
        else [],
        reaches=_reaches(centre),
        layers=[_layer(each, document, select) for each in document["layers"]],
        needed=sum(each["bad"] + each["warn"] for each in document["layers"]),
        needed_href="/lineage?" + urlencode({"select": NEEDED}),
        **{
            name: document[name]
            for name in ("shell", "count", "centre", "folded", "names")
        },
    )


def _href(node: Document, fold: str | None) -> str:
    if node["kind"] == "layer":
        return "/lineage?" + urlencode({"select": node["selector"], "fold": ""})
    kept = f"&{urlencode({'fold': fold})}" if fold else ""
    return around(node) + kept


def _links(node: Document | None, target: str | None) -> list[tuple[str, str]]:
    """Return where else a node is shown."""
    if node is None:
        return []
    key, kind = node["key"], node["kind"]
    if kind == "dashboard":
        return [("Dashboard", link("dashboards", key))]
    if kind == "exposure":
        return [("Open it", node["url"])] if node["url"] else []
    if kind == "files":
        return [("Files", "/files?" + urlencode({"pipe": key})), ("Pipe", "/pipes")]
    found = [("In the catalog", link("catalog", key))]
    if kind == "model" and target is None:
        found.append(("Trace a row", "/trace?" + urlencode({"table": key})))
    return found


def _reaches(node: Document | None) -> list[tuple[str, str]]:
    """Return selectors around a node: near, up, down, all of it."""
    if node is None:
        return []
    name = node["selector"]
    words = [
        ("neighbours", f"1+{name}+1"),
        ("two steps", f"2+{name}+2"),
        ("all above", f"+{name}"),
        ("all below", f"{name}+"),
        ("all", f"+{name}+"),
    ]
    return [(told, "/lineage?" + urlencode({"select": word})) for told, word in words]


def _layer(layer: Document, document: Document, select: str | None) -> Document:
    """Return a layer with the address that folds it up, or unfolds it."""
    folded, name = set(document["folded"]), layer["name"]
    after = folded - {name} if name in folded else folded | {name}
    kept = {"select": select} if select else {}
    href = "/lineage?" + urlencode(kept | {"fold": ",".join(sorted(after))})
    return {**layer, "href": href, "is_folded": name in folded}


async def _column(
    site: Site, node: Document | None, column: str | None
) -> tuple[str | None, Any]:
    """Return the column that is asked for, and what feeds it."""
    if node is None or node["kind"] != "model" or not column:
        return None, None
    found = await site.ask("trace_columns", model=node["key"], columns=(column,))
    return column, found
