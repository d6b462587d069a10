"""How an account stands, in one word, so that a change of it is seen.

All of it is told by the account's services without a warehouse. History takes one, so
it is read when something changed; and where something always does, since files arrive,
not more often than every ten minutes: a warehouse that is asked each minute is never
suspended.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta

from snowmelt.deploy.harvest.tables import get, put
from snowmelt.warehouse.port import Warehouse

_MOVES = (
    *("executionState", "pendingFileCount", "lastIngestedTimestamp"),
    *("lastIngestedFilePath", "lastErrorRecordTimestamp", "lastPipeErrorTimestamp"),
    *("lastForwardedMessageTimestamp", "error"),
)
"""What of a pipe's status is otherwise once a file came, was copied, or failed."""


PAUSE = timedelta(minutes=10)
"""So long history is not read again, whatever changed, unless a person asks."""


def how_it_stands(warehouse: Warehouse) -> str:
    """Return a digest of pipes, streams and tasks as they were told just now."""
    with warehouse.session() as session:
        statuses = session.rows(
            "select pipe_name, status from snowmelt.pipe_statuses order by pipe_name"
        )
        streams = session.rows(
            "select name, has_data, stale from account.streams order by name"
        )
        tasks = session.rows("select name, state from account.tasks order by name")
    moves = [
        (name, [json.loads(status).get(key) for key in _MOVES])
        for name, status in statuses
    ]
    told = json.dumps([moves, streams, tasks], default=str)
    return hashlib.sha256(told.encode()).hexdigest()


def is_quiet(
    warehouse: Warehouse, standing: str, now: datetime, quiet_for: timedelta
) -> bool:
    """Need history not be read again yet?

    For `quiet_for` after it was read it need not while all stands as it did then, and
    for a part of that whatever happens. A person who asks waits for nothing: zero.
    """
    with warehouse.session() as session:
        before, at = get(session, "standing"), get(session, "history_read_at")
    if at is None:
        return False
    passed = now - datetime.fromisoformat(at)
    return passed < (quiet_for if before == standing else min(PAUSE, quiet_for))


def note_standing(warehouse: Warehouse, standing: str, now: datetime) -> None:
    """Remember how all stood when history was read."""
    with warehouse.session() as session, session.transaction():
        put(session, "standing", standing)
        put(session, "history_read_at", now.isoformat())
