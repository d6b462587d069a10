"""Pipes that a person paused: their files become pending, and wait."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from snowmelt.warehouse.port import Session

STALE_AFTER = timedelta(days=14)
"""A pipe that was paused for longer is stale: Snowpipe forgets what it was told."""


@dataclass(frozen=True)
class Pause:
    """Since when a pipe is paused, and why."""

    since: datetime
    reason: str | None

    def is_stale(self, now: datetime) -> bool:
        """Was it paused so long that only a listing knows its files?"""
        return now - self.since > STALE_AFTER


def paused_pipes(session: Session) -> dict[str, Pause]:
    """Return the pipes whose newest state is PAUSED."""
    rows = session.rows(
        """
        select pipe_name, changed_at, reason from snowmelt.pipe_states
        qualify row_number() over (
            partition by pipe_name order by rowid desc
        ) = 1 and execution_state = 'PAUSED'
        """
    )
    return {name: Pause(since, reason) for name, since, reason in rows}


def record_state(
    session: Session, pipe_name: str, state: str, reason: str | None, now: datetime
) -> None:
    """Note that a pipe's state is RUNNING or PAUSED from now on."""
    session.insert(
        "snowmelt.pipe_states",
        {
            "pipe_name": [pipe_name],
            "execution_state": [state],
            "changed_at": [now],
            "reason": [reason],
        },
    )
