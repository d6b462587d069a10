"""Search: lead to what has this name, else show what has it in its name."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from snowmelt.serve.commands import Document
from snowmelt.serve.pages.addresses import first_rows_href, values_href
from snowmelt.serve.pages.site import Site
from snowmelt.serve.pages.wording import link

TEXT_LENGTH_MAX = 200
FILES_SHOWN = 5
_KINDS = ("dashboards", "tables", "columns", "pipes", "tasks")


async def search(site: Site, request: Request) -> Response:
    """Answer `/search`."""
    asked = request.query_params.get("q", "").strip()[:TEXT_LENGTH_MAX]
    if len(asked) == 36 and asked.count("-") == 4:
        return RedirectResponse(link("runs", asked), 303)
    found = await site.ask("search", text=asked)
    files: Document = {"loads": []}
    if asked:
        files = await site.ask(
            "files", pipe=None, status=None, name=asked, before=None, limit=FILES_SHOWN
        )
    groups = {kind: [_shown(kind, each) for each in found[kind]] for kind in _KINDS}
    named = [each for kind in _KINDS for each in groups[kind] if each["is_named"]]
    others = sum(found["counts"].values()) - len(named)
    if len(named) == 1 and not others:
        return RedirectResponse(named[0]["href"], 303)
    all_files = "/files?" + urlencode({"name": asked})
    if files["loads"] and not named and not others:
        return RedirectResponse(all_files, 303)
    return await site.page(
        request,
        "search.html",
        heading="Search",
        section="/search",
        shell=found["shell"],
        query=asked,
        counts=found["counts"],
        loads=files["loads"],
        all_files=all_files,
        is_any=bool(named or others or files["loads"]),
        **groups,
    )


def _shown(kind: str, each: Document) -> Document:
    """Return what was found with where it leads, and how it is asked in SQL."""
    if kind == "tables":
        href = link("catalog", each["key"])
        return each | {"href": href, "sql": first_rows_href(each["key"])}
    if kind == "columns":
        href = link("catalog", each["table"]) + "#columns"
        return each | {"href": href, "sql": values_href(each["table"], each["column"])}
    if kind == "dashboards":
        href = link("dashboards", each["name"])
        if each["kind"] == "exposure":
            chosen = {"select": f"1+exposure:{each['name']}"}
            href = "/lineage?" + urlencode(chosen)
        return each | {"href": href}
    if kind == "pipes":
        return each | {"href": "/files?" + urlencode({"pipe": each["name"]})}
    return each | {"href": link("tasks", each["name"])}
