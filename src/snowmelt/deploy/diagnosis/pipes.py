"""Does a file get from the bucket into its table? One pipe, step by step.

The order is that of the vendor's page: was the pipe told of the file, did it take the
path for one of its own, was it copied, what was wrong with it.
https://docs.snowflake.com/en/user-guide/data-load-snowpipe-ts
https://docs.snowflake.com/en/sql-reference/functions/system_pipe_status
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from snowmelt.deploy.diagnosis.check import FAIL, PASS, WARN, Asking, Check
from snowmelt.deploy.harvest import questions
from snowmelt.deploy.harvest.reading import moment, text, whole
from snowmelt.deploy.harvest.scope import PipeScope
from snowmelt.deploy.harvest.window import Window
from snowmelt.deploy.snowflake.pipe import BROKEN
from snowmelt.deploy.snowflake.session import Row

_SLOW = timedelta(minutes=15)
_LOOKED_BACK = timedelta(days=1)
_STALE_AFTER = timedelta(days=14)


@dataclass(frozen=True)
class PipeStatus:
    """What SYSTEM$PIPE_STATUS told, and how it was asked."""

    pipe: PipeScope
    told: dict[str, Any]
    statement: str
    now: datetime

    def at(self, key: str) -> datetime | None:
        return moment(self.told.get(key))

    def check(self, name: str, level: str, found: str, remedy: str = "") -> Check:
        return Check(name, self.pipe.path, level, found, self.statement, remedy)


def check_pipe(ask: Asking, pipe: PipeScope, now: datetime) -> list[Check]:
    """Follow a file through a pipe; what a step needs and lacks ends the way."""
    statement = questions.status(pipe)

    def look(rows: list[Row]) -> list[Check]:
        told = json.loads(str(rows[0]["status"]))
        status = PipeStatus(pipe, told, statement, now)
        found = [check_running(status), *check_notified(status, ask.scope.names.topic)]
        if found[-1].level != FAIL:
            alone = len(ask.scope.pipes) == 1
            found += check_forwarded(status, alone=alone)
        found += check_queue(status)
        return found

    found = ask("pipe", pipe.path, statement, look, "SYSTEM$PIPE_STATUS")
    return [*found, *check_copies(ask, pipe, now)]


def check_running(status: PipeStatus) -> Check:
    """Does the pipe run?"""
    state = str(status.told.get("executionState", "unknown"))
    error = text(status.told.get("error")) or text(status.told.get("fault")) or ""
    if state == "RUNNING":
        level = WARN if error else PASS
        remedy = "Look at its copies below." if error else ""
        return status.check("pipe", level, f"{state}{_because(error)}", remedy)
    path = status.pipe.path
    remedy = "snowmelt deploy plan: it says what of it is not as it is to be"
    if state == "PAUSED":
        remedy = f"ALTER PIPE {path} SET PIPE_EXECUTION_PAUSED = FALSE"
        received = status.at("lastReceivedMessageTimestamp")
        if received is not None and status.now - received > _STALE_AFTER:
            remedy = (
                f"SELECT SYSTEM$PIPE_FORCE_RESUME('{path}', 'staleness_check_override')"
            )
    elif state.lower() in BROKEN:
        remedy = "snowmelt deploy apply: it makes the pipe anew and loses no file"
    elif state == "STALLED_STAGE_PERMISSION_ERROR":
        remedy = "The stage cannot be read: see trust above, and snowmelt deploy access"
    return status.check("pipe", FAIL, f"{state}{_because(error)}", remedy)


def _because(error: str) -> str:
    return f": {error}" if error else ""


def check_notified(status: PipeStatus, topic: str) -> list[Check]:
    """Is the pipe told of files: has it a queue, and did a message arrive?"""
    channel = text(status.told.get("notificationChannelName"))
    if channel is None:
        remedy = "snowmelt deploy plan: the pipe needs AUTO_INGEST and its topic"
        return [status.check("notification", FAIL, "it listens to no queue", remedy)]
    problem = text(status.told.get("channelErrorMessage"))
    if problem is not None:
        remedy = (
            f"Let Snowflake subscribe to topic {topic}: snowmelt deploy access says "
            "which statement of its policy is missing"
        )
        return [status.check("queue", FAIL, problem, remedy)]
    received = status.at("lastReceivedMessageTimestamp")
    if received is None:
        remedy = (
            f"Does the bucket tell topic {topic}? snowmelt deploy drift says what was "
            "changed; a file that lands now has to be told of"
        )
        return [status.check("notification", WARN, "no message has come yet", remedy)]
    found = f"the last message came {_ago(status.now, received)}"
    return [status.check("notification", PASS, found)]


def check_forwarded(status: PipeStatus, *, alone: bool = True) -> list[Check]:
    """Was what arrived taken for files of this pipe, by their path?

    Where it is not `alone`, messages tell of other pipes' files as well: that its own
    are older is no sign then.
    """
    received = status.at("lastReceivedMessageTimestamp")
    if received is None:
        return []
    forwarded = status.at("lastForwardedMessageTimestamp")
    remedy = (
        "Compare the path of new files with the stage's address: files of other "
        "pipes are told of in the same messages"
    )
    if forwarded is None:
        found = "messages arrive, and none was of a file below the pipe's path"
        return [status.check("path", WARN, found, remedy)]
    last = text(status.told.get("lastForwardedFilePath")) or "the last file below it"
    found = f"{last} {_ago(status.now, forwarded)}"
    if alone and received - forwarded > _SLOW:
        return [status.check("path", WARN, f"messages are newer: {found}", remedy)]
    return [status.check("path", PASS, found)]


def check_queue(status: PipeStatus) -> list[Check]:
    """Do files wait for longer than they should?"""
    waiting = whole(status.told.get("pendingFileCount")) or 0
    oldest = status.at("oldestFileTimestamp")
    if not waiting:
        return [status.check("pending", PASS, "no file waits")]
    found = f"{waiting} files wait"
    if oldest is not None:
        found += f", the oldest {_ago(status.now, oldest)}"
        if status.now - oldest > _SLOW:
            return [status.check("pending", WARN, found, "See the pipe's state above.")]
    return [status.check("pending", PASS, found)]


def check_copies(ask: Asking, pipe: PipeScope, now: datetime) -> list[Check]:
    """What became of the files of the last day?"""
    statement = questions.copies(ask.scope, pipe, Window(now - _LOOKED_BACK, now))

    def look(rows: list[Row]) -> list[Check]:
        return [judged_copies(pipe, rows, statement, ask.scope.names.owner.target)]

    return ask("copies", pipe.table_path, statement, look, "COPY_HISTORY")


def judged_copies(
    pipe: PipeScope, rows: list[Row], statement: str, target: str
) -> Check:
    """Judge the copies of a day: failed files first, then refused records."""
    failed = [row for row in rows if str(row["status"]).lower() == "load failed"]
    refused = sum(whole(row["error_count"]) or 0 for row in rows)
    count = f"{len(rows)} files in the last 24 hours"
    if failed:
        first = failed[0]
        line = whole(first["first_error_line_number"])
        where = f"{first['file_name']}:{line}" if line else str(first["file_name"])
        found = f"{len(failed)} of {count} failed: {where}: " + (
            str(first["first_error_message"])
        )
        remedy = (
            "Correct the file and put it under another name: a pipe does not try a "
            f"name again for 14 days. See: snowmelt history --target {target} "
            "--status 'Load failed'"
        )
        return Check("copies", pipe.path, FAIL, found, statement, remedy)
    if refused:
        remedy = f"See: snowmelt rejects --target {target} --pipe {pipe.name}"
        found = f"{count}, {refused} records of them refused"
        return Check("copies", pipe.path, WARN, found, statement, remedy)
    remedy = ""
    return Check("copies", pipe.path, PASS, count, statement, remedy)


def _ago(now: datetime, at: datetime) -> str:
    seconds = max(0.0, (now - at).total_seconds())
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = round(seconds / size)
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return f"{seconds:.0f} seconds ago"
