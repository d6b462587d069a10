"""What dbt Cloud's administrative API calls things, made of errands.

The shapes are those of https://docs.getdbt.com/dbt-cloud/api-v2 as far as clients read
them: Airflow's provider
(https://airflow.apache.org/docs/apache-airflow-providers-dbt-cloud/) is what is tested.
"""

from __future__ import annotations

import shlex
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from snowmelt.errors import UsageError
from snowmelt.serve.commands import Document
from snowmelt.serve.errands import FITTING

ACCOUNT = PROJECT = ENVIRONMENT = 1
"""A service is one account with one project in one environment."""
STATUSES = {"QUEUED": 1, "EXECUTING": 3, "SUCCEEDED": 10, "FAILED": 20, "CANCELLED": 30}
HUMANIZED = {1: "Queued", 3: "Running", 10: "Success", 20: "Error", 30: "Cancelled"}
OF_STATUS = {number: state for state, number in STATUSES.items()}
NON_TERMINAL_STARTING = 2
"""dbt Cloud's `Starting`, which no errand has."""
BUILDING = ("build", "run", "test", "seed", "snapshot")
JOB = "job"
"""What was asked for has the job that was triggered under this name."""
_PIPE_IDS_FROM = 1_000_000
_SELECTS = ("--select", "-s", "--models", "-m")


@dataclass(frozen=True)
class Offer:
    """A job, as dbt Cloud calls what can be triggered; its `id` is that of its name."""

    id: int
    name: str
    what: str
    steps: tuple[str, ...]
    asked: tuple[tuple[str, Any], ...] = ()

    def fits(self, errand: Document) -> bool:
        """Is an errand a run of this job?

        What was triggered says of which job: with other steps it may be a rebuild, and
        is a run of job `run` all the same. What was asked for otherwise has only its
        looks.
        """
        asked = errand["asked"]
        if JOB in asked:
            return bool(asked[JOB] == self.id)
        own = dict(self.asked).get("pipe")
        return bool(errand["what"] == self.what and asked.get("pipe") == own)


def offers_of(pipes: list[str], *, has_tasks: bool) -> list[Offer]:
    """Return the jobs of a project: four of every project's, and one for each pipe."""
    jobs = [
        Offer(1, "run", "run", ("snowmelt run", "dbt build")),
        Offer(2, "rebuild", "rebuild", ("dbt build --full-refresh",)),
        Offer(3, "audit", "audit", ("snowmelt audit",)),
    ]
    if has_tasks:
        jobs.append(Offer(4, "tasks", "tasks", ("snowmelt tasks run",)))
    for pipe in pipes:
        number = _PIPE_IDS_FROM + zlib.crc32(pipe.encode())
        steps = (f"snowmelt refresh --pipe {pipe}", "dbt build")
        jobs.append(
            Offer(number, f"refresh {pipe}", "refresh", steps, (("pipe", pipe),))
        )
    return jobs


def offer_document(job: Offer) -> Document:
    """Return a job as dbt Cloud shows one."""
    return {
        "id": job.id,
        "account_id": ACCOUNT,
        "project_id": PROJECT,
        "environment_id": ENVIRONMENT,
        "name": job.name,
        "execute_steps": list(job.steps),
        "state": 1,
        "triggers": {"schedule": False, "custom_branch_only": False},
    }


def run_document(errand: Document, jobs: list[Offer], base: str) -> Document:
    """Return an errand as dbt Cloud shows a run. `base`: where the pages are."""
    status = STATUSES[errand["state"]]
    job = next((each for each in jobs if each.fits(errand)), None)
    job_id = job.id if job else errand["asked"].get(JOB)
    run_id, created_at = errand["run_id"], errand["asked_at"]
    began_at, ended_at = errand["began_at"], errand["ended_at"]
    return {
        "id": errand["errand"],
        "account_id": ACCOUNT,
        "project_id": PROJECT,
        "environment_id": ENVIRONMENT,
        "job_id": job_id,
        "job_definition_id": job_id,
        "trigger_id": errand["errand"],
        "trigger": {"id": errand["errand"], "cause": errand["cause"]},
        "job": offer_document(job) if job else None,
        "status": status,
        "status_humanized": HUMANIZED[status],
        "status_message": errand["problem"],
        "in_progress": status in (1, 3),
        "is_complete": errand["has_ended"],
        "is_success": status == STATUSES["SUCCEEDED"],
        "is_error": status == STATUSES["FAILED"],
        "is_cancelled": status == STATUSES["CANCELLED"],
        "git_branch": None,
        "git_sha": None,
        "href": f"{base}/errands/{errand['errand']}",
        "created_at": created_at,
        "updated_at": ended_at or began_at or created_at,
        "started_at": began_at,
        "dequeued_at": began_at,
        "finished_at": ended_at,
        "duration": _between(created_at, ended_at),
        "queued_duration": _between(created_at, began_at),
        "run_duration": _between(began_at, ended_at),
        "snowmelt_run_id": run_id,
    }


def _between(start: str | None, end: str | None) -> str:
    if start is None or end is None:
        return "00:00:00"
    passed = datetime.fromisoformat(end) - datetime.fromisoformat(start)
    seconds = max(0, int(passed / timedelta(seconds=1)))
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def wish_of(
    job: Offer, given: dict[str, Any], told: dict[str, str] | None = None
) -> dict[str, Any]:
    """Return the errand that a trigger's body asks for.

    `told`: from when on (`since`, `unmended_since`) what the service did by itself is
    part of it, if it loads.

    Raises UsageError for what is asked and cannot be done: a run that does something
    else than its caller thinks is worse than none.
    """
    cause = given.get("cause")
    if not isinstance(cause, str) or not cause:
        raise UsageError("cause", "This field is required.")
    for name, value in given.items():
        if name not in ("cause", "steps_override") and value not in (None, False, []):
            own = "runs have the project's own branch, schemas, target and threads"
            raise UsageError(str(name)[:80], f"it cannot be overridden here: {own}")
    what, asked = job.what, dict(job.asked)
    steps = given.get("steps_override")
    if steps is not None:
        if job.what != "run":
            raise UsageError("steps_override", f"job '{job.name}' takes no steps")
        what, asked = _of_steps(steps)
    asked |= {JOB: job.id}
    if told and "since" in FITTING[what]:
        asked |= told
    return {"what": what, "asked": asked, "key": None, "cause": cause[:1000]}


def _of_steps(steps: Any) -> tuple[str, dict[str, Any]]:
    """Return what dbt commands come to: one run of all that is due, or a rebuild."""
    if not isinstance(steps, list) or not steps:
        raise UsageError("steps_override", "write a list of dbt commands")
    select: list[str] = []
    whole, anew = False, False
    for step in steps:
        chosen, full_refresh = _of_step(step)
        select += chosen
        whole = whole or not chosen
        anew = anew or full_refresh
    if anew and select:
        raise UsageError(
            "steps_override",
            "a full refresh of a selection cannot be published on its own",
            "Leave --select away: everything is built anew from bronze.",
        )
    if anew:
        return "rebuild", {}
    return "run", {} if whole else {"select": select}


def _of_step(step: Any) -> tuple[list[str], bool]:
    """Return what a dbt command selects, and if it is to build anew."""
    try:
        words = shlex.split(step) if isinstance(step, str) else []
    except ValueError:
        words = []
    if words[:1] != ["dbt"] or words[1:2] == [] or words[1] not in BUILDING:
        known = ", ".join(f"dbt {each}" for each in BUILDING)
        raise UsageError(
            "steps_override", f"'{str(step)[:80]}' is no step here", f"One of: {known}."
        )
    select: list[str] = []
    anew, selecting = False, False
    for word in words[2:]:
        name, has_value, value = word.partition("=")
        if name in _SELECTS:
            selecting = not has_value
            select += [value] if has_value else []
        elif word == "--full-refresh":
            anew, selecting = True, False
        elif word.startswith("-"):
            raise UsageError("steps_override", f"'{word[:40]}' is no option here")
        elif selecting:
            select.append(word)
        else:
            raise UsageError("steps_override", f"'{word[:40]}' is not understood")
    return select, anew
