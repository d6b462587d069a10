"""The one door to dbt: a build on a session of ours, inside its transaction.

dbt opens connections, begins and commits as it likes. Here it is handed the session
of the publication instead: BEGIN and COMMIT are swallowed, so that nothing it builds
is visible before the publication commits, and all of it goes when it rolls back.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from snowmelt.errors import ConfigError
from snowmelt.transform.trigger import Pass
from snowmelt.warehouse.port import Session

TARGET = "local"
_DIGESTED = ("*.sql", "*.py", "*.yml", "*.yaml", "*.csv")
_DBT_LOCK = threading.Lock()

NodeDone = Callable[[str, str, int, int], None]


@dataclass(frozen=True)
class NodeResult:
    """How one model or test of a build ended."""

    node: str
    resource_type: str
    status: str
    seconds: float
    failures: int | None
    message: str | None
    compiled_code: str | None

    @property
    def failed(self) -> bool:
        return self.status in ("error", "fail", "runtime error")


def project_digest(project_dir: Path) -> str:
    """Return a fingerprint of every file that decides what dbt builds."""
    digest = hashlib.sha256()
    folders = ("models", "macros", "seeds", "snapshots", "tests", "packages")
    files = [project_dir / "dbt_project.yml"]
    for folder in folders:
        for kind in _DIGESTED:
            files += (project_dir / folder).rglob(kind)
    for path in sorted(files):
        if path.is_file():
            digest.update(str(path.relative_to(project_dir)).encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


class Dbt:
    """Runs dbt for one project in this process; one build at a time."""

    def __init__(self, project_dir: Path, warehouse_path: Path) -> None:
        self._project_dir = project_dir
        self._warehouse_path = warehouse_path

    def build(self, session: Session, chosen: Pass, done: NodeDone) -> list[NodeResult]:
        """Build and test the chosen nodes on the session; `done` hears of each.

        Models and tests that fail are in the result. Raises ConfigError when the
        project cannot be parsed or compiled at all.
        """
        arguments = ["build", *self._arguments()]
        if chosen.select:
            arguments += ["--select", *chosen.select]
        if chosen.exclude:
            arguments += ["--exclude", *chosen.exclude]
        if chosen.full_refresh:
            arguments += ["--full-refresh"]
        if chosen.own_tests_only:
            arguments += ["--indirect-selection", "cautious"]
        result = self._invoke(arguments, session, done)
        return [_node_result(each) for each in result.results]

    def parse(self, session: Session) -> None:
        """Read the whole project. Raises ConfigError when dbt refuses it."""
        self._invoke(["parse", *self._arguments()], session, lambda *_: None)

    def _arguments(self) -> list[str]:
        folder = str(self._project_dir)
        return [
            *("--project-dir", folder, "--profiles-dir", folder, "--target", TARGET),
            *("--log-level", "none", "--log-level-file", "none", "--quiet"),
            "--no-send-anonymous-usage-stats",
        ]

    def _invoke(self, arguments: list[str], session: Session, done: NodeDone) -> Any:
        environ = {
            "SNOWMELT_WAREHOUSE": str(self._warehouse_path),
            "DBT_LOG_PATH": str(self._project_dir / "logs"),
        }
        with _DBT_LOCK, _environment(environ), _handed(session):
            from dbt.cli.main import dbtRunner

            runner = dbtRunner(callbacks=[lambda event: _tell(event, done)])
            result = runner.invoke(arguments)
        if result.exception is not None:
            raise ConfigError(
                str(self._project_dir),
                f"dbt refuses the project: {str(result.exception).strip()}",
            )
        return result.result


class _Handle:
    """What dbt takes for a connection: our session, results read at once.

    Several of dbt's threads share the one session, so each statement and the reading
    of its result is one step under a lock.
    """

    def __init__(self, session: Session, lock: threading.RLock) -> None:
        self._session = session
        self._lock = lock
        self._rows: list[tuple[Any, ...]] = []
        self.description: list[tuple[Any, ...]] | None = None
        self.rowcount = -1

    def cursor(self) -> _Handle:
        return self

    def execute(self, sql: str, bindings: Any = None) -> _Handle:
        if sql.strip().rstrip(";").upper() in ("BEGIN", "COMMIT"):
            return self
        with self._lock:
            table = self._session.table(sql, bindings or ())
        self._rows = table.rows
        self.description = [
            (name, kind, None, None, None, None, None)
            for name, kind in zip(table.columns, table.types, strict=True)
        ]
        return self

    def fetchall(self) -> list[tuple[Any, ...]]:
        rows, self._rows = self._rows, []
        return rows

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows.pop(0) if self._rows else None

    def fetchmany(self, size: int) -> list[tuple[Any, ...]]:
        rows, self._rows = self._rows[:size], self._rows[size:]
        return rows

    def interrupt(self) -> None:
        self._session.interrupt()

    def rollback(self) -> None:
        """Leave the transaction to the publication, which owns it."""

    def close(self) -> None:
        """Leave the session open: it is the publication's."""


@contextmanager
def _handed(session: Session) -> Iterator[None]:
    """Make dbt-duckdb take the session for its database while the block lasts."""
    from dbt.adapters.duckdb import environments
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.adapters.duckdb.environments.local import LocalEnvironment

    lock = threading.RLock()

    class HandedEnvironment(LocalEnvironment):  # type: ignore[misc]
        def handle(self) -> _Handle:
            return _Handle(session, lock)

    DuckDBConnectionManager.close_all_connections()
    with mock.patch.object(environments, "create", HandedEnvironment):
        try:
            yield
        finally:
            DuckDBConnectionManager.close_all_connections()


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    with mock.patch.dict(os.environ, values):
        yield


def _tell(event: Any, done: NodeDone) -> None:
    """Pass on that a node finished; all else is in the result of the build."""
    if event.info.name not in ("LogModelResult", "LogTestResult"):
        return
    told = event.data
    total = told.total if event.info.name == "LogModelResult" else told.num_models
    done(str(told.node_info.node_name), str(told.status), told.index, total)


def _node_result(result: Any) -> NodeResult:
    node = result.node
    return NodeResult(
        node=str(node.name),
        resource_type=str(node.resource_type),
        status=str(result.status),
        seconds=float(result.execution_time or 0.0),
        failures=None if result.failures is None else int(result.failures),
        message=result.message or None,
        compiled_code=getattr(node, "compiled_code", None),
    )
