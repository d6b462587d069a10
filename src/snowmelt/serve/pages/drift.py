"""Drift: columns that came or went, files that wait for a decision, the policy."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from snowmelt.serve.commands import Document
from snowmelt.serve.pages.addresses import chosen_of
from snowmelt.serve.pages.site import Site

EVOLVED_SHOWN = 100
PIPES_SHOWN = 60
CHANGES = {
    "ADD_COLUMN": ("came", "good"),
    "DROP_NOT_NULL": ("may be missing", "warn"),
    "WIDEN_TYPE": ("has a wider type", "busy"),
}
BY = {"COPY": "by the load itself", "APPROVED": "approved by a person"}


async def show_drift(site: Site, request: Request) -> Response:
    """Answer `/drift`."""
    pipe = chosen_of(request, "pipe")["pipe"]
    found = await site.ask("drift_board", pipe=pipe, limit=EVOLVED_SHOWN)
    pipes = sorted(found["pipes"], key=_rank)
    return await site.page(
        request,
        "drift.html",
        heading="Drift",
        section="/drift",
        changes=CHANGES,
        by=BY,
        left_out=max(0, len(pipes) - PIPES_SHOWN),
        drift_href=lambda name: "/drift?" + urlencode({"pipe": name}),
        same_as="snowmelt drift" + (f" --pipe {pipe}" if pipe else ""),
        **{**found, "pipes": pipes[:PIPES_SHOWN]},
    )


def _rank(pipe: Document) -> tuple[bool, bool, bool, str]:
    """Return where a pipe stands: those that wait, that differ, that changed, first."""
    differs = bool(pipe["unnamed"] or pipe["absent"])
    return not pipe["waits"], not differs, not pipe["changes"], pipe["pipe_name"]
