"""Connect: how the tools that people already have reach gold."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from snowmelt.errors import SnowmeltError
from snowmelt.serve.commands import Document
from snowmelt.serve.connect.endpoint import (
    Endpoint,
    ModelTable,
    read_endpoints,
    read_tables,
)
from snowmelt.serve.connect.files import pbids, tds
from snowmelt.serve.connect.snippets import (
    ENDPOINT,
    TESTED,
    database_tools,
    download_pieces,
    parquet_pieces,
)
from snowmelt.serve.connect.tmdl import as_zip, project_files
from snowmelt.serve.downloads import told_of
from snowmelt.serve.guard import refusal
from snowmelt.serve.pages.site import Site
from snowmelt.serve.pages.wording import link


def connect_routes(site: Site) -> list[Route]:
    """Return what answers the page and its files."""
    return [
        Route("/connect", site.shared.of(partial(show_connect, site)), methods=["GET"]),
        Route(
            "/connect/{place}/{file}", partial(connection_file, site), methods=["GET"]
        ),
    ]


async def show_connect(site: Site, request: Request) -> Response:
    """Answer `/connect`; `place` chooses among several databases."""
    document = await site.ask("connections")
    tables = document["tables"]
    first = tables[0]["name"] if tables else "gold.TABLE"
    wanted = request.query_params.get("place")
    known = {each["name"]: each for each in document["postgres"]}
    chosen = known.get(wanted or "") or next(iter(known.values()), None)
    return await site.page(
        request,
        "connect.html",
        heading="Connect",
        section="/connect",
        shell=await site.ask("shell"),
        places=[*document["postgres"], *document["parquet"]],
        databases=document["postgres"],
        chosen=chosen,
        tools=database_tools(
            _endpoint(document, chosen),
            first.partition(".")[2],
            is_embedded=bool(chosen and chosen["is_embedded"]),
        ),
        parquet=[
            {**each, "pieces": parquet_pieces(each["where"], first)}
            for each in document["parquet"]
        ],
        downloads=download_pieces(site.door.origin(request.headers), first),
        tables=tables,
        tested=TESTED,
        files=_files(chosen),
    )


def _endpoint(document: Document, chosen: Document | None) -> Endpoint:
    if chosen is None:
        return ENDPOINT
    known = {each.name: each for each in read_endpoints(document)}
    return known[chosen["name"]]


def _files(chosen: Document | None) -> dict[str, str]:
    """Return the addresses of files by the tool that takes them."""
    if chosen is None:
        return {}
    name = chosen["name"]
    return {
        "Power BI": link("connect", name, "snowmelt.pbids"),
        "project": link("connect", name, "snowmelt-pbip.zip"),
        "Tableau": link("connect", name, ""),
    }


async def connection_file(site: Site, request: Request) -> Response:
    """Answer `/connect/PLACE/FILE`: a connection file, without any password."""
    try:
        document = await site.ask("connections")
    except SnowmeltError as error:
        return refusal(told_of(error), error.problem, error.remedy)
    place, file = request.path_params["place"], request.path_params["file"]
    known = {each.name: each for each in read_endpoints(document)}
    if place not in known:
        return refusal(404, "gold is published to no such place")
    made = _content(known[place], file, read_tables(document))
    if made is None:
        return refusal(404, "there is no such file")
    content, kind = made
    plain = "".join(c if c.isalnum() or c in "._-" else "_" for c in file)
    headers = {"Content-Disposition": f'attachment; filename="{plain}"'}
    return Response(content, media_type=kind, headers=headers)


def _content(
    endpoint: Endpoint, file: str, tables: list[ModelTable]
) -> tuple[Any, str] | None:
    if file == "snowmelt.pbids":
        return pbids(endpoint), "application/json"
    if file == "snowmelt-pbip.zip":
        return as_zip(project_files(endpoint, tables)), "application/zip"
    known = {f"{table.name}.tds": table for table in tables}
    if file in known:
        return tds(endpoint, known[file]), "application/xml"
    return None
