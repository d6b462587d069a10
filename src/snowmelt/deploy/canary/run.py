"""One run of the canary: clear what is left, make it, hold every promise, clear it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from snowmelt.clock import Clock
from snowmelt.deploy.canary.bucket import Bucket
from snowmelt.deploy.canary.canary import Canary, Mark
from snowmelt.deploy.canary.clearing import clear, left_over
from snowmelt.deploy.canary.suite import Suite
from snowmelt.deploy.diagnosis.check import FAIL, PASS, WARN, Check
from snowmelt.deploy.harvest.questions import NOW
from snowmelt.deploy.harvest.reading import moment
from snowmelt.deploy.harvest.scope import Scope
from snowmelt.deploy.snowflake.session import AccountError, Session

Tell = Callable[[Check], None]


@dataclass(frozen=True)
class Live:
    """An account and a bucket that a canary is sent through."""

    session: Session
    bucket: Bucket
    scope: Scope
    clock: Clock
    machine: str
    deadline: timedelta


def run_canary(live: Live, tell: Tell) -> None:
    """Send a canary the whole way, and tell of each promise what was found.

    However it ends, what it made is cleared; a run that cannot, because it is killed
    or the account is away, leaves it to the next one.

    Raises UnreachableError when the account or the bucket does not answer, UsageError
    when a pipe of the project would take the canary's files.
    """
    began_at = _now(live)
    _clear_left_over(live, began_at, tell)
    canary = Canary(live.scope, secrets.token_hex(4).upper())
    canary.require_apart()
    mark = Mark(str(live.scope.names.owner), live.machine, began_at)
    suite = Suite(live.session, live.bucket, canary, live.clock, live.deadline)
    try:
        for check in suite.promises(mark):
            tell(check)
    except AccountError as error:
        told = f"{error.number:06d}: {error.message}"
        tell(Check("account", canary.schema, FAIL, told, error.statement, error.remedy))
    finally:
        cleared = _cleared(live, canary)
    tell(cleared)


def _now(live: Live) -> datetime:
    [row] = live.session.rows(NOW)
    told = moment(row["now"])
    assert told is not None, "an account knows what time it is"
    return told


def _clear_left_over(live: Live, now: datetime, tell: Tell) -> None:
    for each in left_over(live.session, live.scope, live.machine, now):
        clear(live.session, live.bucket, each.canary)
        found = f"a run of {each.mark.began_at:%Y-%m-%d %H:%M} UTC left it: cleared"
        tell(Check("left over", each.canary.schema, WARN, found, ""))


def _cleared(live: Live, canary: Canary) -> Check:
    statement = canary.dropped()
    try:
        clear(live.session, live.bucket, canary)
    except AccountError as error:
        told = f"{error.number:06d}: {error.message}"
        return Check("cleared", canary.schema, FAIL, told, statement, error.remedy)
    found = f"the schema and s3 files below {canary.key_prefix} are gone"
    return Check("cleared", canary.schema, PASS, found, statement)
