"""Clears what a canary made: at its end, and what one that was killed left behind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from snowmelt.deploy.canary.bucket import Bucket
from snowmelt.deploy.canary.canary import Canary, Mark, number_of
from snowmelt.deploy.harvest.scope import Scope
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.session import Session

ABANDONED_AFTER = timedelta(hours=2)
"""A canary of another machine is left alone for so long: it may be at work."""


@dataclass(frozen=True)
class LeftOver:
    """A canary of an earlier run."""

    canary: Canary
    mark: Mark


def left_over(
    session: Session, scope: Scope, machine: str, now: datetime
) -> list[LeftOver]:
    """Return the canaries of this project that nobody is at work with any more.

    Those of this machine are no run's: only one runs on a machine at a time.
    """
    rows = session.rows(f"SHOW SCHEMAS IN DATABASE {sql.name(scope.database)}")
    found = []
    for row in rows:
        number = number_of(str(row["name"]))
        mark = Mark.of(str(row.get("comment") or ""))
        if number is None or mark is None or mark.owner != str(scope.names.owner):
            continue
        if mark.machine == machine or now - mark.began_at > ABANDONED_AFTER:
            found.append(LeftOver(Canary(scope, number), mark))
    return found


def clear(session: Session, bucket: Bucket, canary: Canary) -> None:
    """Delete its files, then its schema.

    The schema is what a canary is found by, so it goes last: stopped in between, the
    next run finds it, and clears the rest.
    """
    for key in bucket.keys(canary.key_prefix):
        bucket.delete(key)
    session.rows(canary.dropped())
