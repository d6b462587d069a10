"""The application behind the pages' port: pages, API, badge, numbers, live updates."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from snowmelt.errors import SnowmeltError
from snowmelt.serve.api import Metrics, numbers
from snowmelt.serve.doors import Doors
from snowmelt.serve.downloads import Downloads, Tables
from snowmelt.serve.guard import MACHINES, Guard, refusal
from snowmelt.serve.openapi import openapi_document
from snowmelt.serve.pages import catalog, explore, operate, quality
from snowmelt.serve.pages.acting import act
from snowmelt.serve.pages.embedding import show_embedded
from snowmelt.serve.pages.lineage import show_lineage
from snowmelt.serve.pages.searching import search
from snowmelt.serve.pages.site import Site
from snowmelt.serve.pages.tending import TENDING_PAGES
from snowmelt.serve.pages.trace import show_trace
from snowmelt.serve.web_api import api_routes

log = logging.getLogger("snowmelt")
Page = Callable[[Site, Request], Awaitable[Response]]


PAGES: dict[str, Page] = {
    "/": operate.show_health,
    "/files": operate.show_files,
    "/files/{load:int}": operate.show_file,
    "/rejects": operate.show_rejects,
    "/runs": operate.show_runs,
    "/runs/{run}": operate.show_run,
    "/pipes": operate.show_pipes,
    "/search": search,
    "/counts": operate.show_counts,
    **TENDING_PAGES,
    "/lineage": show_lineage,
    "/catalog": catalog.show_catalog,
    "/catalog/{name}": catalog.show_table,
    "/catalog/{name}/profile": catalog.show_profile,
    "/quality": quality.show_quality,
    "/quality/tests/{test}": quality.show_test,
    "/trace": show_trace,
    "/dashboards": explore.show_dashboards,
    "/dashboards/{name}": explore.show_dashboard,
    "/d/{name}": explore.lead_to_dashboard,
    "/embed/{token}": show_embedded,
    "/dashboards/{name}/cards/{number:int}.csv": explore.card_csv,
    "/dashboards/{name}/cards/{number:int}.xlsx": explore.card_xlsx,
}
"""Path → the page there; an address says all that is chosen on it."""


def make_web_app(
    site: Site, metrics: Metrics, tables: Tables, more: Sequence[Route] = ()
) -> ASGIApp:
    """Return the application, with its guard before it; `more`: pages of their own."""
    doors, downloads = Doors(site), Downloads(tables)

    def page(path: str, show: Page) -> Route:
        return Route(path, site.shared.of(_told(site, show)), methods=["GET"])

    async def openapi(_: Request) -> Response:
        return JSONResponse(openapi_document())

    routes = [
        *(page(path, show) for path, show in PAGES.items()),
        Route("/actions/{verb}", _told(site, act), methods=["POST"]),
        *more,
        Route("/api/v1/openapi.json", openapi),
        Route("/api/v1/tables/{file}", downloads.answer),
        *api_routes(site),
        Route("/events", site.broadcast.answer),
        Route("/metrics", numbers(metrics)),
        Route("/static/{name}", site.assets.answer),
        Route("/favicon.ico", site.assets.icon),
        Route("/start", doors.start, methods=["GET"]),
        Route("/login", doors.login, methods=["GET", "POST"]),
        Route("/logout", doors.logout, methods=["POST"]),
        Route("/session", doors.session),
        Route("/healthz", doors.is_alive),
        Route("/readyz", doors.is_ready),
        Route("/badge/{name}.svg", doors.badge),
    ]
    app = Starlette(
        routes=routes,
        exception_handlers={
            HTTPException: partial(_not_there, site),
            Exception: partial(_broken, site),
        },
    )
    app.router.redirect_slashes = False
    return Guard(app, site.door)


def _told(site: Site, show: Page) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return await show(site, request)
        except SnowmeltError as error:
            status = 404 if error.exit_code == 2 else 422
            return site.error(status, error)
        except HTTPException:
            raise
        except Exception as error:  # noqa: BLE001 - told in the log, and to who asked
            return await _broken(site, request, error)

    return answer


async def _not_there(site: Site, request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    problem = (
        "This address leads nowhere." if status == 404 else "That cannot be done so."
    )
    if request.url.path.startswith(MACHINES):
        answer = refusal(status, problem)
    else:
        answer = site.error(status, SnowmeltError("", problem))
    if isinstance(error, HTTPException):
        answer.headers.update(error.headers or {})
    return answer


async def _broken(site: Site, request: Request, error: Exception) -> Response:
    log.error("a page could not be answered: %s", request.url.path, exc_info=error)
    told = SnowmeltError(
        "", "This page could not be made.", "The service's log says why."
    )
    if request.url.path.startswith(MACHINES):
        return refusal(500, told.problem, told.remedy)
    return site.error(500, told)
