"""The promises, one after the other, each with what was found."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from snowmelt.clock import Clock
from snowmelt.deploy.canary.bucket import Bucket
from snowmelt.deploy.canary.canary import GOOD, LATER, RECORDS, Canary, Mark
from snowmelt.deploy.diagnosis.check import FAIL, PASS, Check
from snowmelt.deploy.diagnosis.pipes import (
    PipeStatus,
    check_forwarded,
    check_notified,
    check_running,
)
from snowmelt.deploy.harvest import questions
from snowmelt.deploy.harvest.reading import moment, text, whole
from snowmelt.deploy.harvest.scope import PipeScope
from snowmelt.deploy.harvest.window import Window
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.session import AccountError, Row, Session

_LOOK_EVERY_SECONDS = 5.0
_ENDED = ("SUCCEEDED", "FAILED", "FAILED_AND_AUTO_SUSPENDED", "CANCELLED")


@dataclass
class Suite:
    """One run of the canary over a session and a bucket."""

    session: Session
    bucket: Bucket
    canary: Canary
    clock: Clock
    deadline: timedelta
    """How long each wait lasts at most."""

    def promises(self, mark: Mark) -> Iterator[Check]:
        """Yield what is found of each promise. What needs one that fails is left out.

        Raises UnreachableError when the account or the bucket does not answer.
        """
        made = self._make(mark)
        yield made
        if made.level == FAIL:
            return
        self.began_at = self._now()
        self._land("first", GOOD)
        copied = self._await_copy("first")
        yield from copied
        if any(each.level == FAIL for each in copied):
            return
        yield self._rows_once("bronze", RECORDS)
        yield self._reject_is_visible()
        self._land("first", GOOD)
        self._land("second", LATER)
        second = self._await_copy("second")
        yield from second
        if any(each.level == FAIL for each in second):
            return
        yield self._rows_once("same name again", RECORDS + 1)
        yield self._stream_sees(RECORDS + 1)
        yield from self._task_publishes(RECORDS + 1)

    def _make(self, mark: Mark) -> Check:
        for statement in self.canary.made_by(mark):
            try:
                self.session.rows(statement)
            except AccountError as error:
                told = f"{error.number:06d}: {error.message}"
                of = self.canary.schema
                return Check("objects", of, FAIL, told, statement, error.remedy)
        found = "a schema with a table, a stream, a pipe and a task is made"
        return Check("objects", self.canary.schema, PASS, found, "")

    def _now(self) -> datetime:
        [row] = self.session.rows(questions.NOW)
        told = moment(row["now"])
        assert told is not None, "an account knows what time it is"
        return told

    def _land(self, name: str, content: str) -> None:
        folder = self.canary.scope.names.target.aws.folder
        self.bucket.put(f"{folder}{self.canary.file(name)}", content.encode())

    def _await(self, look: Callable[[], Check | None]) -> Check | None:
        """Look again and again; None when nothing is found until the deadline."""
        give_up_at = self.clock.monotonic() + self.deadline.total_seconds()
        while True:
            found = look()
            if found is not None or self.clock.monotonic() >= give_up_at:
                return found
            self.clock.wait(threading.Event(), _LOOK_EVERY_SECONDS)

    def _copies(self) -> str:
        """Ask for copies since the canary began, and a little before."""
        window = Window(self.began_at - timedelta(minutes=5), self._now())
        return questions.copies_of(
            self.canary.scope.database, self.canary.table, window
        )

    def _await_copy(self, name: str) -> list[Check]:
        """Wait until a file is copied, and say how long that took."""
        landed = self.clock.monotonic()
        file = self.canary.file(name).rpartition("/")[2]
        statement = ""

        def look() -> Check | None:
            nonlocal statement
            statement = self._copies()
            rows = [
                row
                for row in self.session.rows(statement)
                if str(row["file_name"]).endswith(file)
                and str(row["status"]).lower() != "load in progress"
            ]
            return self._judged_copy(name, rows, landed, statement) if rows else None

        found = self._await(look)
        if found is not None:
            return [found]
        seconds = self.deadline.total_seconds()
        told = f"{file} was not copied within {seconds:.0f} seconds"
        late = Check("copied", self.canary.pipe, FAIL, told, statement, "See below.")
        return [late, *self._why_not()]

    def _judged_copy(
        self, name: str, rows: list[Row], landed: float, statement: str
    ) -> Check:
        took = self.clock.monotonic() - landed
        row = rows[0]
        parsed, loaded = whole(row["row_parsed"]) or 0, whole(row["row_count"]) or 0
        refused = whole(row["error_count"]) or 0
        wanted = (4, 3, 1) if name == "first" else (1, 1, 0)
        is_right = (parsed, loaded, refused) == wanted and len(rows) == 1
        found = (
            f"{row['status']} {took:.0f} s after it landed: {loaded} of {parsed} "
            f"records, {refused} refused"
        )
        if is_right:
            return Check("copied", self.canary.pipe, PASS, found, statement)
        remedy = f"It is told {len(rows)} times; wanted: once, {wanted[1]} records."
        return Check("copied", self.canary.pipe, FAIL, found, statement, remedy)

    def _why_not(self) -> list[Check]:
        """Follow the file through the canary's own pipe, as doctor does."""
        statement = f"SELECT SYSTEM$PIPE_STATUS({sql.text(self.canary.pipe)}) AS STATUS"
        [row] = self.session.rows(statement)
        scope = self.canary.scope
        pipe = PipeScope(
            scope.pipes[0].pipe,
            self.canary.pipe,
            self.canary.table,
            self.canary.path("canary_format"),
            self.canary.copy.pattern,
            by_select=False,
        )
        told = json.loads(str(row["status"]))
        status = PipeStatus(pipe, told, statement, self._now())
        found = [check_running(status), *check_notified(status, scope.names.topic)]
        return [*found, *check_forwarded(status)]

    def _counts(self, of: str) -> tuple[int, int, str]:
        statement = f"SELECT COUNT(*) AS N, COUNT(DISTINCT ID) AS IDS FROM {of}"
        [row] = self.session.rows(statement)
        return whole(row["n"]) or 0, whole(row["ids"]) or 0, statement

    def _rows_once(self, name: str, wanted: int) -> Check:
        rows, ids, statement = self._counts(self.canary.table)
        found = f"{rows} rows of {ids} records"
        if (rows, ids) == (wanted, wanted):
            return Check(
                name, self.canary.table, PASS, f"{found}: each once", statement
            )
        remedy = f"Wanted: {wanted} rows. Please report it with the transcript."
        return Check(name, self.canary.table, FAIL, found, statement, remedy)

    def _reject_is_visible(self) -> Check:
        """Wait until the record that is wrong can be seen, raw."""
        try:
            found = self._await(self._look_at_rejects)
        except AccountError as error:
            told = f"{error.number:06d}: {error.message}"
            of, asked = self.canary.pipe, error.statement
            return Check("reject", of, FAIL, told, asked, error.remedy)
        if found is not None:
            return found
        told = "no error is told of the record that is wrong"
        remedy = "Rejects of this account come without their record."
        return Check("reject", self.canary.pipe, FAIL, told, self._rejects(), remedy)

    def _rejects(self) -> str:
        window = Window(self.began_at - timedelta(minutes=5), self._now())
        return questions.rejects_of(
            self.canary.scope.database, self.canary.pipe, window
        )

    def _look_at_rejects(self) -> Check | None:
        statement = self._rejects()
        for row in self.session.rows(statement):
            if "not-a-number" in (text(row["rejected_record"]) or ""):
                found = f"line {row['line']}: {row['error']}"
                return Check("reject", self.canary.pipe, PASS, found, statement)
        return None

    def _stream_sees(self, wanted: int) -> Check:
        rows, ids, statement = self._counts(self.canary.stream)
        found = f"{rows} new rows of {ids} records"
        if (rows, ids) == (wanted, wanted):
            return Check("stream", self.canary.stream, PASS, found, statement)
        remedy = f"Wanted: {wanted} rows. Please report it with the transcript."
        return Check("stream", self.canary.stream, FAIL, found, statement, remedy)

    def _task_publishes(self, wanted: int) -> Iterator[Check]:
        """Let the task run, wait for it, and look at gold and at the stream."""
        statement = f"ALTER TASK {self.canary.task} RESUME"
        try:
            self.session.rows(statement)
        except AccountError as error:
            told = f"{error.number:06d}: {error.message}"
            yield Check("task", self.canary.task, FAIL, told, statement, error.remedy)
            return
        ran = self._await(self._look_at_task)
        if ran is None:
            seconds = self.deadline.total_seconds()
            told = f"it did not run within {seconds:.0f} seconds"
            remedy = "GRANT EXECUTE TASK ON ACCOUNT TO ROLE " + (
                self.canary.scope.names.target.role
            )
            yield Check("task", self.canary.task, FAIL, told, statement, remedy)
            return
        yield ran
        rows, ids, counted = self._counts(self.canary.gold)
        level = PASS if (rows, ids) == (wanted, wanted) else FAIL
        found = f"{rows} rows of {ids} records"
        remedy = "" if level == PASS else f"Wanted: {wanted} rows, each once."
        yield Check("gold", self.canary.gold, level, found, counted, remedy)
        left, _, counted = self._counts(self.canary.stream)
        level = PASS if left == 0 else FAIL
        found = "its offset moved with the commit" if not left else f"{left} rows left"
        yield Check("offset", self.canary.stream, level, found, counted)

    def _look_at_task(self) -> Check | None:
        window = Window(self.began_at - timedelta(minutes=5), self._now())
        name = self.canary.task.rpartition(".")[2]
        statement = questions.task_runs_of(self.canary.scope.database, name, window)
        schema = self.canary.schema.rpartition(".")[2]
        for row in self.session.rows(statement):
            if row["schema_name"] != schema or row["state"] not in _ENDED:
                continue
            told = f"{row['state']}, {row['scheduled_from']}"
            if row["state"] == "SUCCEEDED":
                return Check("task", self.canary.task, PASS, told, statement)
            why = text(row["error_message"]) or "no reason is told"
            remedy = "Its role needs the warehouse, and EXECUTE TASK on the account."
            return Check(
                "task", self.canary.task, FAIL, f"{told}: {why}", statement, remedy
            )
        return None
