"""One run of a project on a target: is there news, build, what came of it.

What arrived is read from the streams that the deployment made for that, in one
transaction around the build: rows that come meanwhile make the next question true
again, and a build that fails or is killed leaves it true.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

from snowmelt.deploy.naming import Names
from snowmelt.deploy.running.invocation import OWN_DBT, OutsideDbt, Told
from snowmelt.deploy.running.outcome import Outcome, outcome_of
from snowmelt.deploy.running.profile import write_profile
from snowmelt.deploy.running.remedies import Around
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.session import Session
from snowmelt.errors import ConfigError, SnowmeltError
from snowmelt.project.project import Project
from snowmelt.snowflake import INSTALL, NOT_INSTALLED
from snowmelt.transform.package import install_package


@dataclass(frozen=True)
class Runner:
    """Runs one project on one target. `command` is what dbt is called by."""

    project: Project
    names: Names
    session: Session
    command: Sequence[str] = OWN_DBT

    @property
    def around(self) -> Around:
        names, target = self.names, self.names.target
        return Around(
            names.owner.target,
            target.role,
            names.warehouse,
            target.user,
        )

    @property
    def streams(self) -> list[str]:
        """The streams that say whether a table of bronze has rows nobody has built."""
        bronze = self.project.settings.layers.bronze
        return [
            sql.path(self.names.database, bronze, f"{pipe.table_name}__news")
            for pipe in self.project.pipes
        ]

    def has_news(self) -> bool:
        """Did rows arrive that no run has built? It may say yes without need."""
        if not self.streams:
            return False
        asked = [f"SYSTEM$STREAM_HAS_DATA({sql.text(each)})" for each in self.streams]
        [row] = self.session.rows(f"SELECT {' OR '.join(asked)} AS NEWS")
        return str(row["news"]).lower() in ("true", "1")

    def run(self, told: Told = lambda line: None) -> Outcome:
        """Build, test and publish all of it. Raises AccountError, UnreachableError."""
        settings = self.project.settings
        root = self.project.root
        install_package(root)
        folder = write_profile(root, self.names, settings.layers.default)
        dbt = OutsideDbt(root, folder, self.names.owner.target, self.command)
        with self._reading_news() as read:
            ended = dbt.run(["build"], told)
            outcome = outcome_of(ended, folder, self.around)
            if not outcome.problems:
                read()
        self._log(outcome)
        return self._with_publication(outcome)

    def _log(self, outcome: Outcome) -> None:
        """Write the line that the account's own runner writes, too."""
        log = sql.path(self.names.database, "snowmelt", "pipeline_log")
        failed = "; ".join(f"{e.node}: {e.message}" for e in outcome.problems)
        told = sql.text(failed) if failed else "NULL"
        began = f"DATEADD('millisecond', {-round(outcome.seconds * 1000)}, "
        self.session.rows(
            f"INSERT INTO {log} (RUN_ID, STEP, OBJECT, STARTED_AT, ENDED_AT, STATUS, "
            f"ERROR) SELECT {sql.text(outcome.run_id)}, 'run', 'build', {began}"
            f"CURRENT_TIMESTAMP()), CURRENT_TIMESTAMP(), "
            f"'{'failed' if failed else 'ok'}', {told}"
        )

    @contextmanager
    def _reading_news(self) -> Iterator[Callable[[], Any]]:
        """Read the news in a transaction; what is yielded ends it as read."""
        self.session.rows("BEGIN TRANSACTION")
        is_open = [True]

        def read() -> None:
            self.session.rows("COMMIT")
            is_open.clear()

        try:
            table = sql.path(self.names.database, "snowmelt", "news_read")
            for each in self.streams:
                self.session.rows(
                    f"INSERT INTO {table} (STREAM_NAME, ROW_COUNT, READ_AT) SELECT "
                    f"{sql.text(each)}, COUNT(*), CURRENT_TIMESTAMP() FROM {each} "
                    "HAVING COUNT(*) > 0"
                )
            yield read
        finally:
            if is_open:
                with suppress(SnowmeltError):  # a session that is lost is rolled back
                    self.session.rows("ROLLBACK")

    def _with_publication(self, outcome: Outcome) -> Outcome:
        """Add what the log of the pipeline says of the run's publication."""
        if not outcome.run_id:
            return outcome
        log = sql.path(self.names.database, "snowmelt", "pipeline_log")
        rows = self.session.rows(
            f"SELECT STATUS, ERROR, DETAILS FROM {log} WHERE STEP = 'publish' AND "
            f"RUN_ID = {sql.text(outcome.run_id)}"
        )
        for row in rows:
            return replace(
                outcome,
                publication=str(row["status"]),
                why=str(row["error"] or ""),
                tables=tuple(json.loads(row["details"] or "[]")),
            )
        return outcome


def require_dbt() -> None:
    """Raise ConfigError unless dbt's adapter for Snowflake is installed."""
    if find_spec("dbt") is None or find_spec("dbt.adapters.snowflake") is None:
        raise ConfigError("targets", NOT_INSTALLED, INSTALL)
