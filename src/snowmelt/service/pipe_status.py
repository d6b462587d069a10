"""A pipe's status, with the keys of Snowflake's SYSTEM$PIPE_STATUS.

https://docs.snowflake.com/en/sql-reference/functions/system_pipe_status

What waits is known to the process that owns the warehouse alone, so the document is
made there, when it is asked for. For SQL it is written down just before a query that
names `pipe_status` is answered: a table kept up to date all the time would cost a
commit for each file that comes or goes, and would lie once the process was killed.
`pendingAsOfTimestamp`, which Snowflake does not have, says when the look was taken.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from snowmelt.landing.stage import Channel
from snowmelt.serve.commands import Document
from snowmelt.warehouse.port import Session


@dataclass(frozen=True)
class HistoryFacts:
    """What the warehouse knows of a pipe."""

    execution_state: str = "RUNNING"
    last_ingested_at: datetime | None = None
    last_ingested_path: str | None = None
    last_error_record_at: datetime | None = None


@dataclass(frozen=True)
class PendingFacts:
    """What the process knows of a pipe's files at the instant `as_of`.

    `error` is why the pipe as a whole could not copy, if it could not.
    """

    as_of: datetime
    count: int = 0
    oldest_path: str | None = None
    oldest_since: datetime | None = None
    error: str | None = None
    error_at: datetime | None = None


def pipe_status_document(
    history: HistoryFacts, pending: PendingFacts, channel: Channel | None = None
) -> Document:
    """Return the status; what is not known, or does not apply, has no key.

    What Snowpipe forwards from a channel we take from it at once: there are no keys
    for that.
    """
    waits = pending.count > 0
    document: Document = {
        "executionState": history.execution_state,
        "oldestPendingFilePath": pending.oldest_path if waits else None,
        "oldestFileTimestamp": _instant(pending.oldest_since) if waits else None,
        "pendingFileCount": pending.count,
        "lastPipeErrorTimestamp": _instant(pending.error_at),
        "lastIngestedTimestamp": _instant(history.last_ingested_at),
        "lastIngestedFilePath": history.last_ingested_path,
        "lastErrorRecordTimestamp": _instant(history.last_error_record_at),
        "error": pending.error,
        "pendingAsOfTimestamp": _instant(pending.as_of),
    }
    if channel is not None:
        document |= {
            "notificationChannelName": channel.name,
            "numOutstandingMessagesOnChannel": channel.outstanding,
            "lastReceivedMessageTimestamp": _instant(channel.last_received_at),
            "lastPulledFromChannelTimestamp": _instant(channel.last_pulled_at),
            "channelErrorMessage": channel.problem,
        }
    return {key: value for key, value in document.items() if value is not None}


def pending_facts(
    states: Sequence[Mapping[str, Any]], pipe_name: str, as_of: datetime
) -> PendingFacts:
    """Sum up one pipe's part of what `PendingFiles.states` returns."""
    own = [each for each in states if each["pipe_name"] == pipe_name]
    if not own:
        return PendingFacts(as_of)
    oldest = min(own, key=lambda each: each["since"])
    return PendingFacts(as_of, len(own), oldest["file_name"], oldest["since"])


def ingested(session: Session) -> dict[str, HistoryFacts]:
    """Return what load history knows, by pipe; a pipe without a past is absent."""
    rows = session.rows(
        """
        select
            pipe_name,
            max(last_load_time) filter (row_count > 0 and replay_of is null),
            arg_max(file_name, load_seq) filter (row_count > 0 and replay_of is null),
            max(last_load_time) filter (error_count > 0 or status = 'Load failed')
        from snowmelt.load_history
        group by pipe_name
        """
    )
    return {name: HistoryFacts("RUNNING", *facts) for name, *facts in rows}


def history_facts(
    session: Session, loads: Mapping[str, HistoryFacts] | None = None
) -> dict[str, HistoryFacts]:
    """Return what the warehouse knows, by pipe; a pipe without a past is absent.

    `loads`: what `ingested` knows, from who remembers it.
    """
    known = dict(ingested(session) if loads is None else loads)
    states = session.rows(
        "select pipe_name, execution_state from snowmelt.pipe_states "
        "qualify row_number() over (partition by pipe_name order by rowid desc) = 1"
    )
    for name, state in states:
        known[name] = replace(known.get(name, HistoryFacts()), execution_state=state)
    return known


def asks_pipe_status(sql: str) -> bool:
    """Does a query need the statuses written down before it is answered?"""
    return "pipe_status" in sql.lower()


def write_statuses(
    session: Session, documents: Mapping[str, Document], now: datetime
) -> None:
    """Write down every pipe's status for `snowmelt.pipe_status`, in one commit."""
    with session.transaction():
        session.execute("delete from snowmelt.pipe_statuses")
        session.insert(
            "snowmelt.pipe_statuses",
            {
                "pipe_name": list(documents),
                "status": [json.dumps(each) for each in documents.values()],
                "noted_at": [now] * len(documents),
            },
        )


def _instant(at: datetime | None) -> str | None:
    if at is None:
        return None
    text = at.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
