"""Dashboards: the figures of dashboards/*.yml, with how fresh they are."""

from __future__ import annotations

import hashlib
import shlex
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from snowmelt.errors import UsageError
from snowmelt.project.periods import PRESETS, words
from snowmelt.serve.cells import write_csv
from snowmelt.serve.commands import Document
from snowmelt.serve.pages.cards import card_view
from snowmelt.serve.pages.site import Site
from snowmelt.serve.pages.wording import link


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
        health=health_of(document["shell"]),
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
        "health": health_of(document["shell"]),
        "problem": document["problem"],
        "filters": filters,
        "chosen": document["chosen"],
        "in_words": [each["in_words"] for each in filters if each["is_active"]],
        "cards": [
            card_view(each, place, onward)
            for place, each in enumerate(document["cards"])
        ],
    }


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
    name, place = request.path_params["name"], request.path_params["number"]
    document = await site.ask("board", name=name, filters=request.url.query)
    cards = document["cards"]
    if place >= len(cards):
        raise UsageError(f"card {place}", "there is no such card", "See the dashboard.")
    content = "".join(write_csv([cards[place]["columns"], *cards[place]["rows"]]))
    answer = Response(
        content,
        media_type="text/csv; charset=utf-8; header=present",
        headers={
            "Content-Disposition": f'attachment; filename="card_{place}.csv"',
            "X-Snowmelt-Run": document["run_id"],
        },
    )
    return with_tag(request, answer)


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
