"""The paths of dbt Cloud's administrative API that clients of its jobs ask.

Below `/api/v2` (and `/api/v3`, for projects and environments), with `Authorization:
Token …`. Every answer has `status` and `data`, as
https://docs.getdbt.com/dbt-cloud/api-v2 says; lists have `extra` for their pages.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from snowmelt.errors import SnowmeltError, UnreachableError, UsageError
from snowmelt.serve.commands import Document
from snowmelt.serve.dbt_cloud.shapes import (
    ACCOUNT,
    ENVIRONMENT,
    NON_TERMINAL_STARTING,
    OF_STATUS,
    PROJECT,
    Offer,
    offer_document,
    offers_of,
    run_document,
    wish_of,
)
from snowmelt.serve.errands import Errands, read_number
from snowmelt.serve.guard import Door, identity_of

LIMIT_MAX = 100
LOOKED_AT = 1000
"""So many of the newest errands a list of runs is made of."""
_TELLING = ["SUCCEEDED", "FAILED"]
"""How runs end that say what became of files."""
ARTIFACTS = ("manifest.json", "run_results.json")
Answer = Callable[[Request], Awaitable[Response]]


class DbtProject(Protocol):
    """What a dbt Cloud project would be."""

    def about(self) -> Document:
        """Return `name`, `pipes`, and `has_tasks`."""
        ...

    def artifacts(self, run_id: str | None) -> Path | None:
        """Return the folder of a run's artifacts; without one, of the published run."""
        ...


class _RefusedError(Exception):
    def __init__(self, status: int, told: str) -> None:
        self.status, self.told = status, told
        super().__init__(told)


def dbt_cloud_routes(errands: Errands, project: DbtProject, door: Door) -> list[Route]:
    """Return what answers clients of dbt Cloud, with and without a slash at the end."""
    api = DbtCloud(errands, project, door)
    account = "/accounts/{account:int}"
    environments = "/projects/{project:int}/environments"
    answers: list[tuple[str, str, Answer]] = [
        ("/accounts", "GET", api.accounts),
        (account, "GET", api.account),
        (f"{account}/projects", "GET", api.projects),
        (f"{account}/projects/{{project:int}}", "GET", api.project),
        (f"{account}{environments}", "GET", api.environments),
        (f"{account}{environments}/{{environment:int}}", "GET", api.environment),
        (f"{account}/jobs", "GET", api.offers),
        (f"{account}/jobs/{{job:int}}", "GET", api.offer),
        (f"{account}/jobs/{{job:int}}/run", "POST", api.trigger),
        (f"{account}/jobs/{{job:int}}/rerun", "POST", api.rerun),
        (f"{account}/runs", "GET", api.runs),
        (f"{account}/runs/{{run:int}}", "GET", api.run),
        (f"{account}/runs/{{run:int}}/cancel", "POST", api.cancel),
        (f"{account}/runs/{{run:int}}/artifacts", "GET", api.artifacts),
        (f"{account}/runs/{{run:int}}/artifacts/{{path:path}}", "GET", api.artifact),
    ]
    return [
        Route(f"/api/{version}{path}{slash}", _told(answer), methods=[method])
        for path, method, answer in answers
        for version in ("v2", "v3")
        for slash in ("", "/")
        if not (slash and path.endswith(":path}"))
    ]


def _told(answer: Answer) -> Answer:
    async def answering(request: Request) -> Response:
        try:
            _require_entrance(request)
            return await answer(request)
        except _RefusedError as error:
            return _shaped(None, error.status, error.told)
        except UnreachableError as error:
            return _shaped(None, 503, str(error))
        except UsageError as error:
            return _shaped(None, 400, str(error))
        except SnowmeltError as error:
            return _shaped(None, 422, str(error))

    return answering


def _require_entrance(request: Request) -> None:
    if not identity_of(request).may_act:
        raise _RefusedError(403, "The token is of a viewer, not an operator.")
    if request.path_params.get("account", ACCOUNT) != ACCOUNT:
        raise _RefusedError(404, "The requested account was not found.")


def _shaped(
    data: Any, status: int = 200, told: str = "Success!", **more: Any
) -> Response:
    document = {
        "status": {
            "code": status,
            "is_success": status < 400,
            "user_message": told,
            "developer_message": "",
        },
        "data": data,
    }
    return JSONResponse(document | more, status)


class DbtCloud:
    """Answers as dbt Cloud would."""

    def __init__(self, errands: Errands, project: DbtProject, door: Door) -> None:
        self._errands = errands
        self._project = project
        self._door = door

    async def accounts(self, request: Request) -> Response:
        """List the one account."""
        del request
        return _shaped([self._account()])

    async def account(self, request: Request) -> Response:
        """Answer about the account: a check of the connection."""
        del request
        return _shaped(self._account())

    def _account(self) -> Document:
        return {"id": ACCOUNT, "name": self._about()["name"], "state": 1}

    def _about(self) -> Document:
        return self._project.about()

    async def projects(self, request: Request) -> Response:
        """List the one project, if its name has what is looked for."""
        return _page([self._dbt_project()], request)

    async def project(self, request: Request) -> Response:
        """Answer about the project."""
        self._require(request, "project", PROJECT)
        return _shaped(self._dbt_project())

    def _dbt_project(self) -> Document:
        name = self._about()["name"]
        return {"id": PROJECT, "account_id": ACCOUNT, "name": name, "state": 1}

    async def environments(self, request: Request) -> Response:
        """List the one environment."""
        self._require(request, "project", PROJECT)
        return _page([_environment()], request)

    async def environment(self, request: Request) -> Response:
        """Answer about the environment."""
        self._require(request, "project", PROJECT)
        self._require(request, "environment", ENVIRONMENT)
        return _shaped(_environment())

    def _require(self, request: Request, name: str, wanted: int) -> None:
        if request.path_params[name] != wanted:
            raise _RefusedError(404, f"The requested {name} was not found.")

    # Jobs.

    def _offers(self) -> list[Offer]:
        about = self._about()
        return offers_of(about["pipes"], has_tasks=about["has_tasks"])

    def _offer(self, request: Request) -> Offer:
        number = request.path_params["job"]
        job = next((each for each in self._offers() if each.id == number), None)
        if job is None:
            raise _RefusedError(404, "The requested job was not found.")
        return job

    async def offers(self, request: Request) -> Response:
        """List what can be triggered."""
        given = request.query_params
        fits = all(
            given.get(name, str(own)) == str(own)
            for name, own in (("project_id", PROJECT), ("environment_id", ENVIRONMENT))
        )
        found = [offer_document(each) for each in self._offers()] if fits else []
        return _page(found, request)

    async def offer(self, request: Request) -> Response:
        """Answer about one job."""
        return _shaped(offer_document(self._offer(request)))

    async def trigger(self, request: Request) -> Response:
        """Trigger a run of a job."""
        try:
            given = json.loads(await request.body() or b"{}")
        except ValueError:
            raise _RefusedError(400, "JSON parse error") from None
        if not isinstance(given, dict):
            raise _RefusedError(400, "Expected a JSON object")
        return await self._ask(request, given)

    async def rerun(self, request: Request) -> Response:
        """Run a job again: what is loaded and published already is not done twice."""
        return await self._ask(request, {"cause": "Rerun"})

    async def _ask(self, request: Request, given: dict[str, Any]) -> Response:
        job, who = self._offer(request), identity_of(request).name
        told = await run_in_threadpool(partial(self._told_until, job))
        wish = wish_of(job, given, told)
        document = await run_in_threadpool(partial(self._errands.ask, wish, who))
        return _shaped(self._run(request, document["errand"]))

    def _told_until(self, job: Offer) -> dict[str, str]:
        """Return from when on a run of a job has to tell what became of files.

        `since`: when the newest run that told what it found was asked for; what came
        after that no run has told. `unmended_since`: when the last success was, or else
        the first run that failed.
        """
        found: dict[str, str] = {}
        before: int | None = None
        for _ in range(LOOKED_AT // LIMIT_MAX):
            listed = self._errands.listed(_TELLING, None, before, LIMIT_MAX)
            for errand in listed["errands"]:
                if not job.fits(errand):
                    continue
                found.setdefault("since", errand["asked_at"])
                found["unmended_since"] = errand["asked_at"]
                if errand["state"] == "SUCCEEDED":
                    return found
            before = listed["next"]
            if before is None:
                break
        return found

    # Runs.

    def _run(self, request: Request, errand: Document) -> Document:
        return run_document(errand, self._offers(), self._door.origin(request.headers))

    async def _errand(self, request: Request) -> Document:
        number = request.path_params["run"]
        found = await run_in_threadpool(partial(self._errands.find, number))
        if found is None:
            raise _RefusedError(404, "The requested run was not found.")
        errand: Document = found["errand"]
        return errand

    async def run(self, request: Request) -> Response:
        """Answer how a run stands."""
        return _shaped(self._run(request, await self._errand(request)))

    async def runs(self, request: Request) -> Response:
        """List runs, newest first, or oldest first where that is asked for."""
        given = request.query_params
        states = _states(given)
        call = partial(self._errands.listed, states, None, None, LOOKED_AT)
        listed = (await run_in_threadpool(call))["errands"]
        found = [self._run(request, each) for each in listed]
        job = given.get("job_definition_id")
        if job:
            wanted = read_number("job_definition_id", job)
            found = [each for each in found if each["job_definition_id"] == wanted]
        order = given.get("order_by") or "-id"
        if order.lstrip("-") not in ("id", "created_at", "finished_at"):
            raise UsageError("order_by", f"'{order[:40]}' is nothing to order by")
        if not order.startswith("-"):
            found.reverse()
        return _page(found, request)

    async def cancel(self, request: Request) -> Response:
        """Cancel a run that has not ended."""
        errand, who = await self._errand(request), identity_of(request).name
        number = errand["errand"]
        call = partial(self._errands.cancel, number, None, who)
        found = await run_in_threadpool(call)
        assert found is not None, "an errand that was found stays on record"
        return _shaped(self._run(request, found["errand"]))

    # Artifacts.

    async def _artifacts(self, request: Request) -> Path | None:
        errand = await self._errand(request)
        if not errand["has_ended"]:
            return None
        return await run_in_threadpool(self._project.artifacts, errand["run_id"])

    async def artifacts(self, request: Request) -> Response:
        """List the artifacts of a run, or of what is published if it built nothing."""
        folder = await self._artifacts(request)
        found = [name for name in ARTIFACTS if folder and (folder / name).is_file()]
        return _shaped(found)

    async def artifact(self, request: Request) -> Response:
        """Answer with one artifact as it is."""
        name, folder = request.path_params["path"], await self._artifacts(request)
        if name not in ARTIFACTS or folder is None or not (folder / name).is_file():
            raise _RefusedError(404, "The requested artifact was not found.")
        return FileResponse(folder / name, media_type="application/json")


def _environment() -> Document:
    return {
        "id": ENVIRONMENT,
        "account_id": ACCOUNT,
        "project_id": PROJECT,
        "name": "local",
        "type": "deployment",
        "state": 1,
    }


def _states(given: Any) -> list[str]:
    """Return the states of errands that `status` or `status__in` name."""
    text = given.get("status__in") or given.get("status") or ""
    words = [word.strip() for word in text.strip("[]()").split(",") if word.strip()]
    numbers = [read_number("status", word) for word in words]
    for number in numbers:
        if number not in OF_STATUS and number != NON_TERMINAL_STARTING:
            raise UsageError("status", f"there is no status {number}")
    found = [OF_STATUS[number] for number in numbers if number in OF_STATUS]
    return found or (["QUEUED"] if numbers else [])


def _page(found: list[Document], request: Request) -> Response:
    """Answer with a part of a list, and say how long it is."""
    given = request.query_params
    if part := given.get("name__icontains"):
        found = [each for each in found if part.lower() in each["name"].lower()]
    limit = read_number("limit", given.get("limit") or str(LIMIT_MAX))
    offset = read_number("offset", given.get("offset") or "0")
    limit = min(max(limit, 1), LIMIT_MAX)
    shown = found[offset : offset + limit]
    extra = {
        "filters": {"limit": limit, "offset": offset},
        "order_by": given.get("order_by"),
        "pagination": {"count": len(shown), "total_count": len(found)},
    }
    return _shaped(shown, extra=extra)
