"""All questions, in the order in which what goes wrong first is found first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from snowmelt.deploy.diagnosis.building import check_dbt
from snowmelt.deploy.diagnosis.check import FAIL, Asking, Check
from snowmelt.deploy.diagnosis.flow import check_streams, check_tasks
from snowmelt.deploy.diagnosis.pipes import check_pipe
from snowmelt.deploy.diagnosis.places import (
    check_clock,
    check_formats,
    check_quota,
    check_trust,
    check_warehouse,
)
from snowmelt.deploy.diagnosis.zone import check_zone
from snowmelt.deploy.harvest.scope import Scope
from snowmelt.deploy.snowflake.session import Session


def diagnose(session: Session, scope: Scope, now: datetime) -> Iterator[Check]:
    """Yield what is found. An account that does not answer at all is asked no more."""
    ask = Asking(session, scope)
    answers = check_clock(ask, now)
    yield from answers
    if any(each.level == FAIL for each in answers):
        return
    yield from check_warehouse(ask)
    yield from check_quota(ask)
    yield from check_trust(ask)
    yield from check_formats(ask, scope)
    for pipe in scope.pipes:
        yield from check_pipe(ask, pipe, now)
    yield from check_zone(ask)
    yield from check_dbt(ask)
    yield from check_streams(ask, now)
    yield from check_tasks(ask, now)
