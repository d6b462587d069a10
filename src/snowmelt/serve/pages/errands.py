"""Where an errand is to be seen: an address that is known before it has run."""

from __future__ import annotations

from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from snowmelt.serve.errands import Errands
from snowmelt.serve.guard import identity_of
from snowmelt.serve.pages.wording import link


def errand_pages(errands: Errands) -> list[Route]:
    """Return what answers `/errands/NUMBER`."""
    lead = partial(lead_to_errand, errands)
    return [Route("/errands/{errand:int}", lead, methods=["GET"])]


async def lead_to_errand(errands: Errands, request: Request) -> Response:
    """Lead to the run of an errand, or of its tasks; to all runs while it has none."""
    number = request.path_params["errand"]
    found = None
    if identity_of(request).may_act:
        found = await run_in_threadpool(partial(errands.find, number))
    errand = found["errand"] if found else {}
    if group := errand.get("graph_run_group_id"):
        return RedirectResponse(link("tasks", "runs", group))
    run_id = errand.get("run_id")
    return RedirectResponse(link("runs", run_id) if run_id else link("runs"))
