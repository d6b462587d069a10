"""Does what was copied go on: streams, tasks and their last runs."""

from __future__ import annotations

from datetime import datetime, timedelta

from snowmelt.deploy.diagnosis.check import FAIL, PASS, WARN, Asking, Check
from snowmelt.deploy.harvest import questions
from snowmelt.deploy.harvest.reading import flag, full_name, moment, text
from snowmelt.deploy.harvest.task_mapping import task_runs_of
from snowmelt.deploy.harvest.window import Window
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.session import Row
from snowmelt.transform.tasks.attempt import FAILURES

_SOON = timedelta(days=2)
_LOOKED_BACK = timedelta(days=1)


def check_streams(ask: Asking, now: datetime) -> list[Check]:
    """Is a stream stale, or about to be?"""
    database = ask.scope.database
    statement = questions.streams(ask.scope)

    def look(rows: list[Row]) -> list[Check]:
        odd = [each for row in rows if (each := _stream(row, statement, now))]
        if odd:
            return odd
        told = f"{len(rows)} streams, none of them stale"
        return [Check("streams", database, PASS, told, statement)]

    return ask("streams", database, statement, look, "SHOW STREAMS")


def _stream(row: Row, statement: str, now: datetime) -> Check | None:
    path = sql.path_as_kept(
        str(row["database_name"]), str(row["schema_name"]), str(row["name"])
    )
    if flag(row.get("stale")):
        why = text(row.get("invalid_reason"))
        found = "it is stale" + (f": {why}" if why and why != "N/A" else "")
        remedy = (
            "Its model is built from nothing by the next run, which makes the stream "
            "anew. A stream of tasks: snowmelt deploy apply, once it was dropped: "
            f"DROP STREAM {path}"
        )
        return Check("streams", path, FAIL, found, statement, remedy)
    after = moment(row.get("stale_after"))
    if after is not None and after - now < _SOON:
        found = f"it is stale after {after:%Y-%m-%d %H:%M} UTC unless it is read"
        remedy = "Let its model run: see the tasks below."
        return Check("streams", path, WARN, found, statement, remedy)
    return None


def check_tasks(ask: Asking, now: datetime) -> list[Check]:
    """Do the tasks run, and how did they end?"""
    if not ask.scope.tasks:
        return []
    statement = questions.tasks(ask.scope)

    def look(rows: list[Row]) -> list[Check]:
        there = {
            full_name(row, "database_name", "schema_name", "name"): row for row in rows
        }
        found = []
        for path, task in ask.scope.tasks_by_path.items():
            row = there.get(path)
            if row is None:
                told = "it is not there, or not to be seen by this role"
                remedy = "snowmelt deploy plan"
                found.append(Check("task", task.path, FAIL, told, statement, remedy))
            elif str(row["state"]).lower() != "started":
                found.append(_suspended(task.path, row, statement))
        if not found:
            told = f"{len(ask.scope.tasks)} tasks, all started"
            found = [Check("task", ask.scope.system, PASS, told, statement)]
        return found

    found = ask("task", ask.scope.system, statement, look, "SHOW TASKS")
    return [*found, *_last_runs(ask, now)]


def _suspended(path: str, row: Row, statement: str) -> Check:
    why = text(row.get("last_suspended_reason"))
    found = "it is suspended" + (f": {why}" if why else "")
    remedy = f"ALTER TASK {path} RESUME (its root last, or: snowmelt deploy apply)"
    return Check("task", path, FAIL, found, statement, remedy)


def _last_runs(ask: Asking, now: datetime) -> list[Check]:
    """Did the last run of any task fail?"""
    found: list[Check] = []
    for task in ask.scope.tasks:
        window = Window(now - _LOOKED_BACK, now)
        statement = questions.task_runs(ask.scope, task, window)

        def look(
            rows: list[Row], path: str = task.path, statement: str = statement
        ) -> list[Check]:
            runs = task_runs_of(rows, ask.scope)
            ended = [run for run in runs if run.completed_time is not None]
            last = max(ended, key=lambda run: run.scheduled_time, default=None)
            if last is None or last.state not in FAILURES:
                return []
            told = f"its last run ended as {last.state.value}: {last.error_message}"
            remedy = f"Mend it, then: EXECUTE TASK {path} RETRY LAST"
            return [Check("task run", path, FAIL, told, statement, remedy)]

        found += ask("task run", task.path, statement, look, "TASK_HISTORY")
    return found
