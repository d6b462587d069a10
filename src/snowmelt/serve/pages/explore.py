"""Dashboards: the figures of dashboards/*.yml, with how fresh they are."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence
from urllib.parse import parse_qsl, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from snowmelt.errors import UsageError
from snowmelt.project.periods import PRESETS, words
from snowmelt.serve.cells import write_csv
from snowmelt.serve.commands import Document
from snowmelt.serve.pages.cards import card_view
from snowmelt.serve.pages.site import Site
from snowmelt.serve.pages.wording import link
from snowmelt.serve.spreadsheet import XLSX, xlsx_of


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
    """Answer `/dashboards/NAME`; what is chosen stands in the address."""
    name, said = request.path_params["name"], ""
    try:
        document = await site.ask("board", name=name, filters=request.url.query)
    except UsageError as error:
        document = await site.ask("board", name=name, filters=None)
        known = [each["name"] for each in document["filters"]]
        if error.where.partition(".")[0] not in known:
            raise
        said = f"{error.where}: {error.problem}"
    answer = await site.page(
        request,
        "dashboard.html",
        heading=document["title"],
        section="/dashboards",
        said=said,
        same_as=_same_as(name, document["chosen"]),
        action=link("dashboards", name),
        **board_view(document, document["chosen"]),
    )
    if said:
        answer.status_code = 422
    return answer


async def lead_to_dashboard(site: Site, request: Request) -> Response:
    """Answer `/d/NAME`, which is short for it."""
    del site
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(link("dashboards", request.path_params["name"]) + query)


def board_view(document: Document, onward: str) -> Document:
    """Return what the template needs of a dashboard."""
    filters = [_filter_view(each) for each in document["filters"]]
    return {
        "name": document["name"],
        "title": document["title"],
        "description": document["description"],
        "run_id": document["run_id"],
        "shell": document["shell"],
        "health": document["health"]
        | {
            "reasons": with_hrefs(
                document["health"]["reasons"], document["shell"]["target"]
            )
        },
        "problem": document["problem"],
        "unconfirmed": document["unconfirmed"],
        "filters": filters,
        "chosen": document["chosen"],
        "in_words": [each["in_words"] for each in filters if each["is_active"]],
        "cards": [
            card_view(each, place, onward)
            for place, each in enumerate(document["cards"])
        ],
    }


def with_hrefs(
    reasons: Sequence[Document], target: str | None = None
) -> list[Document]:
    """Return why a dashboard is not current, each with where that is looked at.

    A target has no page of quality: its runs tell.
    """
    hrefs = [(each, _href(each)) for each in reasons]
    return [
        {**each, "href": "/runs" if target and "/quality" in href else href}
        for each, href in hrefs
    ]


def _href(reason: Document) -> str:
    name = reason["name"]
    places = {
        "check": "/quality?status=fail",
        "warns": "/quality?status=warn",
        "model": link("catalog", name),
        "lag": link("catalog", name),
        "run": "/runs",
        "files": "/files?" + urlencode({"pipe": name}),
    }
    return places.get(reason["kind"], "/pipes")


def in_words(found: Document) -> str:
    """Say what is chosen of a filter."""
    if found["type"] == "date_range":
        begin, end = found["from"] or "the first day", found["to"] or "the newest"
        return f"{found['label']}: {begin} to {end}"
    more = len(found["values"]) - 3
    told = ", ".join(found["values"][:3]) + (f" and {more} more" if more > 0 else "")
    return f"{found['label']}: {told}"


def _filter_view(found: Document) -> Document:
    view: Document = {**found, "in_words": in_words(found)}
    if found["type"] != "date_range":
        options = found.get("options", [])
        missing = [each for each in found["values"] if each not in options]
        every = "*" if found["has_default"] else ""
        return view | {"every": every, "options": [*missing, *options]}
    presets = dict.fromkeys([*PRESETS, found["default"], found["text"]])
    return view | {
        "presets": [
            (each, words(each)) for each in presets if each and ".." not in each
        ],
        "is_custom": ".." in found["text"],
    }


def _same_as(name: str, chosen: str) -> str:
    """Return the command that shows the same figures."""
    filters = [
        f"--filter {shlex.quote(f'{key}={value}')}" for key, value in parse_qsl(chosen)
    ]
    return " ".join(["snowmelt dashboards", shlex.quote(name), *filters])


async def card_csv(site: Site, request: Request) -> Response:
    """Answer `/dashboards/NAME/cards/NUMBER.csv`: all rows of one card."""
    card, run_id = await _card(site, request)
    content = "".join(write_csv([card["columns"], *card["rows"]]))
    kind = "text/csv; charset=utf-8; header=present"
    return with_tag(request, _file(request, content.encode(), "csv", kind, run_id))


async def card_xlsx(site: Site, request: Request) -> Response:
    """Answer `/dashboards/NAME/cards/NUMBER.xlsx`: the same for spreadsheets."""
    card, run_id = await _card(site, request)
    cells = card["columns"], card["types"], card["rows"]
    content = await run_in_threadpool(xlsx_of, *cells)
    return _file(request, content, "xlsx", XLSX, run_id)


async def _card(site: Site, request: Request) -> tuple[Document, str]:
    """Return a card as it is chosen, and of which run it is."""
    name, place = request.path_params["name"], request.path_params["number"]
    document = await site.ask("board", name=name, filters=request.url.query)
    cards = document["cards"]
    if place >= len(cards):
        raise UsageError(f"card {place}", "there is no such card", "See the dashboard.")
    return cards[place], document["run_id"]


def _file(
    request: Request, content: bytes, ending: str, kind: str, run_id: str
) -> Response:
    name = f"card_{request.path_params['number']}.{ending}"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "X-Snowmelt-Run": run_id,
    }
    return Response(content, media_type=kind, headers=headers)


def with_tag(request: Request, answer: Response) -> Response:
    """Give an answer a tag of its content; who has that content is told so."""
    tag = f'"{hashlib.sha256(bytes(answer.body)).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if request.headers.get("if-none-match") == tag:
        kept = {"Content-Security-Policy", "X-Snowmelt-Run"}
        both = {k: v for k in kept if (v := answer.headers.get(k))} | headers
        return Response(status_code=304, headers=both)
    answer.headers.update(headers)
    return answer
