"""How long that is kept which an account told beside its history: as history is."""

from __future__ import annotations

from datetime import datetime, timedelta

from snowmelt.deploy.harvest.window import QUERIES
from snowmelt.observe.retention import Horizons
from snowmelt.warehouse.port import Session

_TOLD_AGAIN = QUERIES.keeps + timedelta(days=1)
"""Hours are summed up anew when a statement of them is told again: so long all of
their statements have to be known."""
_OF_QUERIES = """
    delete from account.queries where started_at < $1
    -- by the newest of a warehouse its size is known
    and query_id not in (
        select arg_max(query_id, started_at) from account.queries
        group by warehouse_name
    )
"""
_OF_HISTORY = (
    "delete from account.uses where hour < $1",
    "delete from account.pipe_usage where end_time < $1",
    "delete from account.metering where end_time < $1",
    "delete from account.gaps where lost_until < $1",
    "delete from account.run_names where run_id not in "
    "(select run_id from snowmelt.run_history)",
)


def forget_account_before(session: Session, horizons: Horizons, now: datetime) -> None:
    """Delete what is older, in one transaction: after the history that it is about."""
    with session.transaction():
        if horizons.queries is not None:
            before = min(horizons.queries, now - _TOLD_AGAIN)
            session.execute(_OF_QUERIES, [before])
        if horizons.history is not None:
            for statement in _OF_HISTORY:
                given = [horizons.history] if "$1" in statement else []
                session.execute(statement, given)
