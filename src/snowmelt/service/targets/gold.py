"""The rows of gold that an account has, asked for as rarely as can be.

A query wakes the account's warehouse. So an answer is kept for as long as nothing newer
is known to be published, and one statement asks for all who want the same at once. What
is asked is of one publication: the account is asked which before the first query and
after the last one, and when it published in between, everything is asked again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

from snowmelt.deploy import opening
from snowmelt.deploy.harvest import questions
from snowmelt.deploy.harvest.reading import moment
from snowmelt.deploy.snowflake.session import AccountError, Row
from snowmelt.errors import ConfigError, SnowmeltError, UnreachableError
from snowmelt.service.boards.asking import Asking
from snowmelt.service.boards.memory import Memory
from snowmelt.service.targets.asking_there import AskingThere, Unconfirmed
from snowmelt.service.targets.gold_columns import (
    Columns,
    columns_seen,
    keep_columns,
    seen_of,
)
from snowmelt.service.targets.line import LateError, Line
from snowmelt.service.targets.observing import Observing
from snowmelt.snowflake import Patience
from snowmelt.warehouse.port import Session

STATEMENT_SECONDS = 60
"""How long a statement may take there, a warehouse that has to wake included."""
QUESTION_SECONDS = 70.0
"""How long an answer is waited for: the account tells before that it took too long."""
PATIENCE = Patience(tries=2, login_seconds=30, network_seconds=75)
"""Nobody waits any more for what takes longer."""
PARAMETERS = {
    "QUERY_TAG": "snowmelt dashboards",
    "STATEMENT_TIMEOUT_IN_SECONDS": STATEMENT_SECONDS,
    "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS": STATEMENT_SECONDS,
    "WEEK_START": 0,
    "WEEK_OF_YEAR_POLICY": 0,
    "DEFAULT_NULL_ORDERING": "LAST",
    "DATE_OUTPUT_FORMAT": "YYYY-MM-DD",
}
"""Of the session: limits, and that weeks, days and the place of NULL are those of here,
whatever the account says (https://docs.snowflake.com/en/sql-reference/parameters)."""
REFUSED_SECONDS = 60.0
REFUSED_MAX = 200
_NEVER = float("inf")
COLUMNS_SECONDS = 60.0
"""For how long columns are taken to be as they were seen, if a query lacks some."""
AWAY_SECONDS = 15.0
"""For how long an account that did not answer is not asked by the next card."""
_PUBLISHED = """
    select max(ended_at) from snowmelt.pipeline_log
    where step = 'publish' and status = 'ok'
"""
_RUN = """
    with steps as (
        select run_id, started_at, ended_at = $1 as is_it from snowmelt.pipeline_log
        where step = 'publish' and status = 'ok' and run_id is not null
    ),

    runs as (
        select run_id, started_at, false from snowmelt.run_history
        where state = 'SUCCEEDED'
    )

    select run_id from (from steps union all from runs)
    order by is_it desc, started_at desc
    limit 1
"""
"""What `dbt build` publishes by hand is a step of the log, and of no run."""
_WAITING = """
    select table_name, min(last_load_time) from snowmelt.load_history
    where row_count > 0 and last_load_time > (
        select max(started_at) from snowmelt.pipeline_log
        where step = 'publish' and status = 'ok'
    )
    group by table_name
"""


@dataclass(frozen=True)
class _Refused:
    until: float
    error: ConfigError


class GoldThere:
    """Asks the account of one target. One statement at a time, on a session of ours."""

    def __init__(self, observing: Observing) -> None:
        self.observing = observing
        self.clock = observing.parts.clock
        self.warehouse = observing.parts.warehouse
        self.lock = threading.RLock()
        self.target = observing.project.target_name
        self.builds_by = f"snowmelt run --target {self.target}"
        self.until = _NEVER
        """When whoever has the lock has to be done."""
        self.unconfirmed: Unconfirmed | None = None
        self._line = Line(self._connect, self.clock)
        self._newest: datetime | None = None
        self._told_of: datetime | None = None
        self._columns_until = float("-inf")
        self._away: tuple[float, UnreachableError] | None = None
        self._refused: dict[str, _Refused] = {}

    def asking(
        self, session: Session, memory: Memory, relations: Mapping[str, str]
    ) -> Asking:
        return AskingThere(self.warehouse, session, memory, relations, self.clock, self)

    def run_published(self, session: Session) -> str | None:
        run_id: str | None = session.value(_RUN, [self.published_at(session)])
        return run_id

    def published_at(self, session: Session) -> datetime | None:
        known: datetime | None = session.value(_PUBLISHED)
        if self._newest is None or known is None:
            return known or self._newest
        return max(known, self._newest)

    def waiting_since(self, session: Session) -> Mapping[str, datetime]:
        return dict(session.rows(_WAITING))

    def columns(self, session: Session) -> Columns:
        return columns_seen(session)

    def close(self) -> None:
        self._line.end(is_orderly=True)

    @contextmanager
    def alone(self, seconds: float) -> Iterator[None]:
        """Let nobody else ask inside the block, which may ask for so long."""
        with self.lock:
            self.until = self.clock.monotonic() + seconds
            try:
                yield
            finally:
                self.until = _NEVER

    def newest(self) -> datetime:
        """Ask the account when it published last, and see its columns as of then.

        When that is news, the runs of its log are read, too: the warehouse is awake for
        it. All else of its history is for who observes it.
        Raises ConfigError when nothing is published there.
        """
        found = self.newest_publication()
        self._see_columns(found)
        with self.warehouse.session() as session:
            is_news = session.value(_PUBLISHED) != found
        if is_news and self._told_of != found:
            self._told_of = found
            with suppress(SnowmeltError):  # it comes with the next history then
                self.observing.read_log(self)
        return found

    def newest_publication(self) -> datetime:
        """Ask that alone. Raises ConfigError when nothing is published there."""
        rows = self.ask(questions.newest_publication(self.observing.scope))
        found = moment(rows[0]["published_at"]) if rows else None
        if found is None:
            where = f"dashboards --target {self.target}"
            raise ConfigError(where, "nothing is published there yet", self.builds_by)
        self._newest = found
        return found

    def rows(self, statement: str) -> list[Row]:
        """Ask one statement, as a session does: for who reads the log."""
        return self.ask(statement)

    def _see_columns(self, published: datetime) -> None:
        with self.warehouse.session() as session:
            if seen_of(session) == published.isoformat():
                return
        self._keep_columns(published)

    def _keep_columns(self, published: datetime) -> None:
        rows = self.ask(questions.columns(self.observing.scope))
        with self.warehouse.session() as session:
            keep_columns(session, rows, published)
        self._columns_until = self.clock.monotonic() + COLUMNS_SECONDS

    def see_columns_again(self) -> bool:
        """See whether columns came between publications; False: that was done just now.

        A table may have been made or granted since.
        """
        if self._newest is None or self.clock.monotonic() < self._columns_until:
            return False
        self._keep_columns(self._newest)
        return True

    def ask(self, statement: str) -> list[Row]:
        """Ask one statement. Raises ConfigError that says statement, error and remedy.

        What was refused just now is not asked again: whoever looks would keep the
        warehouse awake for nothing. Raises UnreachableError when there is no answer.
        """
        now = self.clock.monotonic()
        with self.lock:
            if self._away is not None and now < self._away[0]:
                raise self._away[1]
            refused = self._refused.get(statement)
            if refused is not None and now < refused.until:
                raise refused.error
            seconds = min(QUESTION_SECONDS, self.until - now)
            try:
                return self._line.rows(statement, seconds)
            except UnreachableError as error:
                self._line.end()  # the next question opens another session
                is_cut = isinstance(error, LateError) and seconds < QUESTION_SECONDS
                if not is_cut:
                    self._away = self.clock.monotonic() + AWAY_SECONDS, error
                raise
            except AccountError as error:
                told = self._told(error)
                self._refused.pop(statement, None)
                self._refused[statement] = _Refused(now + REFUSED_SECONDS, told)
                while len(self._refused) > REFUSED_MAX:
                    del self._refused[next(iter(self._refused))]
                raise told from error

    def _connect(self) -> opening.AccountSession:
        project, names = self.observing.project, self.observing.project.names
        return opening.connect(project, names, self.clock, PARAMETERS, PATIENCE)

    def _told(self, error: AccountError) -> ConfigError:
        names, where = (
            self.observing.project.names,
            f"dashboards --target {self.target}",
        )
        problem, remedy = error.problem, error.remedy
        if "timeout" in error.message:
            problem = f"its query took longer than {STATEMENT_SECONDS} seconds there"
            remedy = (
                "Sum it up in a model of gold, or take a larger warehouse (size: of "
                "the target)"
            )
        elif error.is_missing or error.is_refusal:
            schema, role = f"{names.database}.GOLD", names.target.role
            remedy = (
                f"GRANT USAGE ON SCHEMA {schema} TO ROLE {role}; GRANT SELECT ON ALL "
                f"TABLES IN SCHEMA {schema} TO ROLE {role}"
            )
        remedy = f"{remedy.rstrip('.')}. " if remedy else ""
        return ConfigError(where, problem, f"{remedy}Asked was: {error.where}")
