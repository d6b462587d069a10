"""Writes the steps of our log in an account, and the runs among them.

A step is written there when it has ended. So a run comes last of all that it did, and
what it did may have been read long before: how it was published, and its statements.
Each reading puts them together anew from what is kept, not from what was told just now.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from snowmelt.deploy.harvest.ledger import insert_rows, replace_rows
from snowmelt.deploy.harvest.query_mapping import RunFacts, run_id_of, runs_of
from snowmelt.deploy.harvest.reading import moment, text, whole
from snowmelt.deploy.harvest.run_keeping import name_runs
from snowmelt.deploy.snowflake.session import Row
from snowmelt.warehouse.port import Session

_RUN_COLUMNS = (
    *("run_id", "state", "reason", "started_at", "ended_at", "error"),
    *("full_refresh", "project_digest", "models", "tests", "way"),
)
_LOG_COLUMNS = (
    *("run_id", "step", "object", "started_at", "ended_at", "status", "rows_in"),
    *("rows_out", "rows_rejected", "bytes", "error", "details"),
)


def keep_log(session: Session, rows: list[Row]) -> Collection[datetime]:
    """Write steps of our log there, and the runs among them."""
    runs = runs_of(rows)
    _keep_runs(session, runs)
    _keep_names(session, rows)
    _keep_steps(session, rows)
    if runs:
        oldest = min(run.started_at for run in runs)
        _put_together(session, oldest)
    return ()


def _keep_runs(session: Session, runs: Sequence[RunFacts]) -> None:
    """Write runs; how many models and tests they had is known by their statements."""
    known = {
        run_id: counts
        for run_id, *counts in session.rows(
            "select run_id, models, tests from snowmelt.run_history "
            "where run_id in (select unnest($1::json::varchar[]))",
            [[run.run_id for run in runs]],
        )
    }
    rows = [
        [
            *(run.run_id, run.state, run.reason, run.started_at, run.ended_at),
            *(run.error, "", "", *known.get(run.run_id, (0, 0)), "dbt"),
        ]
        for run in runs
    ]
    replace_rows(session, "snowmelt.run_history", "run_id", _RUN_COLUMNS, rows)


def _keep_names(session: Session, rows: Sequence[Row]) -> None:
    """Remember which run it is that dbt calls so."""
    found = {
        told: run_id_of(row)
        for row in rows
        if row["step"] == "run" and (told := text(row.get("run_id")))
    }
    columns = ("told", "run_id")
    replace_rows(session, "account.run_names", "told", columns, list(found.items()))


def _keep_steps(session: Session, rows: Sequence[Row]) -> None:
    """Write steps instead of those that were told before.

    A step is known by what it was, and when; of the steps of a long run, others may
    have begun and ended meanwhile.
    """
    steps = [_step(row) for row in rows]
    if not steps:
        return
    told = [
        {
            "step": step,
            "object": of,
            "began": began.isoformat(),
            "ended": (ended or began).isoformat(),
        }
        for _, step, of, began, ended, *_ in steps
    ]
    session.execute(
        """
        delete from snowmelt.pipeline_log as kept
        using (select unnest($1::json[]) as each) as told
        where kept.step = (told.each ->> 'step')
            and kept.object = (told.each ->> 'object')
            and kept.started_at = (told.each ->> 'began')::timestamptz
            and coalesce(kept.ended_at, kept.started_at)
                = (told.each ->> 'ended')::timestamptz
        """,
        [told],
    )
    insert_rows(session, "snowmelt.pipeline_log", _LOG_COLUMNS, steps)


def _step(row: Row) -> list[Any]:
    """Return a step of the log; a run with the name that it has here."""
    run_id = run_id_of(row) if row["step"] == "run" else text(row.get("run_id"))
    return [
        run_id,
        str(row["step"]),
        str(row["object"]),
        moment(row["started_at"]),
        moment(row["ended_at"]),
        str(row["status"]),
        *(whole(row.get(n)) for n in ("rows_in", "rows_out", "rows_rejected", "bytes")),
        text(row["error"]),
        _details(text(row.get("details"))),
    ]


def _details(told: str | None) -> str | None:
    """Return details as an object, as the log here has them; of a list, its tables."""
    if told is None:
        return None
    try:
        found = json.loads(told)
    except ValueError:
        found = told
    if not isinstance(found, dict):
        found = {"tables" if isinstance(found, list) else "told": found}
    return json.dumps(found, ensure_ascii=False)


def _put_together(session: Session, oldest: datetime) -> None:
    """Give what runs did the names of the runs, and say which were not published.

    An account that runs dbt itself does not know what dbt calls the run: what was
    published while it went on was its doing, for one goes on at a time. Asked is when
    that had ended: so much is told by the account's clock alone.
    """
    session.execute(_NAMED)
    session.execute(_OF_ITS_TIME, [oldest])
    session.execute(_REFUSED, [oldest])
    name_runs(session, oldest)


_NAMED = """
    update snowmelt.pipeline_log as log
    set run_id = names.run_id
    from account.run_names as names
    where names.told = log.run_id
"""
_OF_ITS_TIME = """
    with found as (
        select log.rowid as place, arg_max(run.run_id, run.started_at) as run_id
        from snowmelt.pipeline_log as log
        join snowmelt.run_history as run
            on log.ended_at between run.started_at and run.ended_at
        where log.step = 'publish' and log.ended_at >= $1 and run.ended_at >= $1
            and (log.run_id is null
                or log.run_id not in (select run_id from snowmelt.run_history))
            and run.run_id not in (select run_id from account.run_names)
        group by all
    )

    update snowmelt.pipeline_log as log
    set run_id = found.run_id
    from found
    where log.rowid = found.place
"""
# a run that was built and not published has failed: readers see the one before it
_REFUSED = """
    update snowmelt.run_history as run
    set state = 'FAILED',
        error = coalesce(run.error, log.error, 'it was not published')
    from snowmelt.pipeline_log as log
    where log.run_id = run.run_id and log.step = 'publish'
        and log.status in ('refused', 'failed') and run.ended_at >= $1
"""
