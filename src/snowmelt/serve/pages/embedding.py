"""One dashboard for whoever has its link, inside of another site's page or alone.

Such a page knows nobody: it looks at no cookie, acts on nothing and leads nowhere. It
shows what the link is for, and says nothing of why another one shows nothing.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from snowmelt.errors import SnowmeltError
from snowmelt.project.filters import named_in
from snowmelt.serve.commands import Document
from snowmelt.serve.guard import NO_FRAME, POLICY
from snowmelt.serve.pages.explore import board_view, in_words, with_tag
from snowmelt.serve.pages.site import Site
from snowmelt.serve.shares import Share

EVERY_SECONDS = 60


async def show_embedded(site: Site, request: Request) -> Response:
    """Answer `/embed/TOKEN`."""
    token = request.path_params["token"]
    share = await run_in_threadpool(site.shares.find, token)
    document = None if share is None else await _document(site, request, share)
    if share is None or document is None:
        html = site.render("embedded_nothing.html", heading="Nothing to see")
        return _framed(HTMLResponse(html, 404), share)
    html = await run_in_threadpool(
        site.render,
        "embedded.html",
        heading=document["title"],
        action=request.url.path,
        seconds=EVERY_SECONDS,
        **_view(document),
    )
    return with_tag(request, _framed(HTMLResponse(html), share))


async def _document(site: Site, request: Request, share: Share) -> Document | None:
    """Return what a link shows; None if the dashboard cannot show it any more."""
    locked = named_in(share.filters)
    given = parse_qsl(request.url.query) if request.url.query else []
    given = [(name, value) for name, value in given if _bare(name) not in locked]
    pairs = [*given, *parse_qsl(share.filters)]
    try:
        found = await site.ask("board", name=share.dashboard, filters=urlencode(pairs))
    except SnowmeltError:
        return None
    if any(
        name not in card["filters"]
        for card in found["cards"]
        for name in locked
        if "problem" not in card
    ):
        return None  # a card was changed, and would show more than the link is for
    return _narrowed(found, locked) | {"chosen": urlencode(given)}


def _narrowed(found: Document, locked: list[str]) -> Document:
    """Return a dashboard without what is not for strangers.

    While something is chosen for them, other filters would tell what else there is.
    """
    filters = [
        each
        for each in found["filters"]
        if each["name"] not in locked and (not locked or each["type"] == "date_range")
    ]
    cards = []
    for each in found["cards"]:
        card = {key: value for key, value in each["card"].items() if key != "drill"}
        shown = {**each, "card": card, "row_of": None}
        if "problem" in each:
            shown["problem"] = {"where": "", "problem": "", "remedy": ""}
        cards.append(shown)
    told = [in_words(each) for each in found["filters"] if each["is_active"]]
    narrowed = {"filters": filters, "cards": cards, "problem": None}
    doubt = "there was no answer" if found["unconfirmed"] else ""
    return {**found, **narrowed, "unconfirmed": doubt, "in_words": told}


def _view(document: Document) -> Document:
    """Return what the template needs; what is locked is said, too."""
    return {**board_view(document, ""), "in_words": document["in_words"]}


def _bare(name: str) -> str:
    return name.removesuffix(".from").removesuffix(".to")


def _framed(answer: Response, share: Share | None) -> Response:
    """Let the sites of a link, and no others, show it in a frame."""
    origins = " ".join(share.origins) if share is not None else ""
    allowed = f"frame-ancestors {origins}" if origins else NO_FRAME
    answer.headers["Content-Security-Policy"] = POLICY.replace(NO_FRAME, allowed)
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer
