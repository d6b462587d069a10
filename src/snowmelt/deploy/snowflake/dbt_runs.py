"""How an account runs dbt: a procedure around EXECUTE DBT PROJECT, in turn. Pure.

What the vendor's pages say, and what follows:

- A procedure that calls it has the caller's rights, and one DBT PROJECT is run by one
  statement at a time (https://docs.snowflake.com/en/user-guide/data-engineering/
  dbt-projects-on-snowflake-limitations). So steps of a graph come one after the other.
- Without DBT_VERSION dbt 1.9.4 runs
  (https://docs.snowflake.com/en/sql-reference/sql/execute-dbt-project).
- A task that a stream triggers runs again as long as the stream has data, at most each
  30 seconds (https://docs.snowflake.com/en/user-guide/tasks-triggered). So what a
  failed run owes triggers none: that is tried again by the hour.
- Nothing says whether it joins, commits or ignores a transaction that is open around
  it, and models make tables, which commits one
  (https://docs.snowflake.com/en/sql-reference/transactions). So none is.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.code import Procedure
from snowmelt.deploy.snowflake.entity import address_of
from snowmelt.deploy.snowflake.task import Stream
from snowmelt.deploy.snowflake.task_place import TAKEN, Place
from snowmelt.transform.tasks.graph import TaskGraph

RUN_DBT = "run_dbt"


class News(StrEnum):
    """What a run does with the news: rows of bronze that nobody has built."""

    LEAVE = "leave"
    """It builds nothing."""
    TAKE = "take"
    """Before it builds: from now on they are owed. Others build after it."""
    SETTLE = "settle"
    """It takes them, unless a step before it did; once it has built, none is owed."""


def call_of(place: Place, arguments: str, news: News) -> str:
    """Return what a task says to run dbt."""
    given = f"{arguments} --target {place.target}"
    return f"CALL {place.path(RUN_DBT)}({sql.text(given)}, {sql.text(news.value)})"


def owed_streams(place: Place) -> tuple[Stream, Stream]:
    """Return what stays true until what was taken is built, and what triggers that."""
    taken = place.path(TAKEN)
    needs = (*place.needs, address_of("table", taken))
    owed, retry = (Stream(e, taken, needs=needs) for e in (place.owed, place.retry))
    return owed, retry


def retry_code(place: Place) -> str:
    """Return what has what is owed tried again: a row for its stream."""
    return (
        f"INSERT INTO {place.path(TAKEN)} {_NEWS}\n  "
        "SELECT 'retry', 0, CURRENT_TIMESTAMP()"
    )


def run_procedure(place: Place, streams: Collection[Stream]) -> Procedure:
    """Return the procedure that runs dbt and says so in the log.

    News is taken before dbt begins, in a transaction that is over by then, and is owed
    from the moment in which it is no news any more. Rows that come while dbt builds are
    news; a build that fails or is killed leaves what it took owed, and both streams are
    asked. What is owed already is not taken again: a step that builds the last part
    must not settle what came after the first part was built. A try is asked for once:
    a run that fails leaves no stream true that triggers a task.
    """
    tables = ("pipeline_log", TAKEN, "news_read")
    needs = (
        *place.needs,
        *(address_of("table", place.path(each)) for each in tables),
        *(each.address for each in owed_streams(place)),
        address_of("dbt_project", place.path(place.dbt_project)),
        *(each.address for each in streams),
    )
    arguments = (("ARGS", "VARCHAR"), ("NEWS", "VARCHAR"))
    code = _code(place, _taking(place, streams))
    return Procedure(place.path(RUN_DBT), arguments, code, "CALLER", needs=needs)


def _taking(place: Place, streams: Collection[Stream]) -> str:
    return "\n".join(
        f"    INSERT INTO {place.path(TAKEN)} {_NEWS}\n"
        f"      SELECT {sql.text(each.name)}, COUNT(*), CURRENT_TIMESTAMP() "
        f"FROM {each.name} HAVING COUNT(*) > 0;"
        for each in streams
    )


def _code(place: Place, taking: str) -> str:
    log = f"{place.path('pipeline_log')} {_LOGGED}"
    read = f"{place.path('news_read')} {_NEWS}"
    return f"""
DECLARE
  unbuilt EXCEPTION (-20002, 'dbt did not do all of it: its output says why');
  began TIMESTAMP_LTZ DEFAULT CURRENT_TIMESTAMP();
  statement VARCHAR DEFAULT {_statement(place)};
  owed NUMBER DEFAULT 0;
  told VARCHAR DEFAULT '';
BEGIN
  SELECT COUNT(*) INTO :owed FROM {place.owed};
  IF (NEWS <> '{News.LEAVE}' AND owed = 0) THEN
    BEGIN TRANSACTION;
{taking}
    COMMIT;
  END IF;
  {_retry_is_read(place)}
  EXECUTE IMMEDIATE :statement;
  BEGIN
    SELECT LOWER($1::VARCHAR) INTO :told FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()));
  EXCEPTION
    WHEN OTHER THEN
      told := '';
  END;
  IF (told = 'false') THEN
    RAISE unbuilt;
  END IF;
  BEGIN TRANSACTION;
  IF (NEWS = '{News.SETTLE}') THEN
    INSERT INTO {read}
      SELECT STREAM_NAME, ROW_COUNT, READ_AT FROM {place.owed};
    {_retry_is_read(place)}
  END IF;
  INSERT INTO {log}
    SELECT 'run', :ARGS, :began, CURRENT_TIMESTAMP(), 'ok', NULL;
  COMMIT;
  RETURN 'ok';
EXCEPTION
  WHEN OTHER THEN
    ROLLBACK;
    INSERT INTO {log}
      SELECT 'run', :ARGS, :began, CURRENT_TIMESTAMP(), 'failed', :SQLERRM;
    RAISE;
END
"""


def _retry_is_read(place: Place) -> str:
    return (
        f"INSERT INTO {place.path('news_read')} {_NEWS} SELECT "
        f"{sql.text(place.retry)}, COUNT(*), CURRENT_TIMESTAMP() FROM {place.retry} "
        "HAVING COUNT(*) > 0;"
    )


_NEWS = "(STREAM_NAME, ROW_COUNT, READ_AT)"
_LOGGED = "(STEP, OBJECT, STARTED_AT, ENDED_AT, STATUS, ERROR)"


def _statement(place: Place) -> str:
    """Return EXECUTE DBT PROJECT as an expression: its arguments are the caller's."""
    head = f"EXECUTE DBT PROJECT {place.path(place.dbt_project)} ARGS = '"
    tail = f"' DBT_VERSION = {sql.text(place.dbt_version)}"
    return f"{sql.text(head)} || REPLACE(ARGS, '''', '''''') || {sql.text(tail)}"


def waits_for(graph: TaskGraph) -> dict[str, str]:
    """Return which step that runs dbt waits for which other one, by the account's rule.

    Those that a graph lets run side by side come in its order.
    """
    found: dict[str, str] = {}
    above: dict[str, set[str]] = {}
    last: str | None = None
    for name in graph.order:
        task = graph.tasks[name]
        before = set(task.after).union(*(above[each] for each in task.after))
        if task.dbt is not None:
            if last is not None and last not in before:
                found[name] = last
                before |= {last, *above[last]}
            last = name
        above[name] = before
    return found


def news_of(graph: TaskGraph) -> dict[str, News]:
    """Return what each step that runs dbt does with the news: the last build settles.

    A step that waits until a person resumes it settles nothing; nor does what runs at
    the end of a graph, which may have failed, unless nothing else builds.
    """
    builds = [n for n, t in graph.tasks.items() if t.dbt is not None and not t.dbt.test]
    running = [
        name
        for name in graph.order
        if name in builds and (name == graph.root or not graph.tasks[name].suspended)
    ]
    last = running[-1] if running else graph.finalizer
    return {
        name: (
            News.LEAVE
            if name not in builds
            else News.SETTLE
            if name == last
            else News.TAKE
        )
        for name, task in graph.tasks.items()
        if task.dbt is not None
    }
