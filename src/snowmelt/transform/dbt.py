"""The one door to dbt: a build on a session of ours, inside its transaction.

dbt opens connections, begins and commits as it likes. Here it is handed the session
of the publication instead: BEGIN and COMMIT are swallowed, so that nothing it builds
is visible before the publication commits, and all of it goes when it rolls back.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from unittest import mock

from snowmelt.errors import ConfigError
from snowmelt.transform.dbt_project import SERVICE_FOLDER
from snowmelt.transform.graph import Graph, Node, read_graph
from snowmelt.transform.node_result import NodeResult
from snowmelt.transform.package import install_package
from snowmelt.transform.profile import TARGET, profile_arguments
from snowmelt.transform.replay import NodeDone
from snowmelt.transform.statements import node_of_dbt
from snowmelt.transform.trigger import Pass
from snowmelt.warehouse.port import Session, Table

_DBT_LOCK = threading.Lock()

Sent = dict[str, list[str]]
"""Statements by the id of the node that dbt sent them for."""


class Asked(Protocol):
    """What dbt needs of a session."""

    def table(self, sql: str, parameters: Sequence[object] = ()) -> Table:
        """Run a statement and return its result."""

    def interrupt(self) -> None:
        """Break the statement off that runs."""


@dataclass(frozen=True)
class DbtBuild:
    """What came of one build, and what dbt sent for each node."""

    nodes: list[NodeResult]
    sent: Sent


class Dbt:
    """Runs dbt for one project in this process; one build at a time.

    `target` is the output of the profile; `shown`: whose files they are, if they are a
    copy, to be named where dbt refuses them.
    """

    def __init__(
        self,
        project_dir: Path,
        warehouse_path: Path,
        target: str = TARGET,
        shown: Path | None = None,
    ) -> None:
        self._project_dir = project_dir
        self._warehouse_path = warehouse_path
        self._target = target
        self._shown = shown or project_dir

    def build(self, session: Asked, chosen: Pass, done: NodeDone) -> DbtBuild:
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
        if chosen.exactly:
            arguments += ["--indirect-selection", "empty"]
        sent: Sent = {}
        result = self._invoke(arguments, session, done, sent)
        # a hook of a package is no node: the one of ours says nothing on this engine
        made = [e for e in result.results if e.node.resource_type != "operation"]
        return DbtBuild([_node_result(each) for each in made], sent)

    def select(self, session: Session, selection: Sequence[str]) -> frozenset[str]:
        """Return the ids that a selection names, in dbt's own syntax.

        Without the tests that only come along. Raises ConfigError for what selects
        nothing, and what dbt does not take for a selection.
        """
        nothing: list[str] = []

        def hear(event: Any) -> None:
            if event.info.name == "NoNodesForSelectionCriteria":
                nothing.append(str(event.data.spec_raw))

        arguments = [
            *("ls", *self._arguments(), "--select", *selection),
            *("--indirect-selection", "empty"),
            *("--output", "json", "--output-keys", "unique_id"),
        ]
        try:
            result = self._invoke(arguments, session, lambda *_: None, {}, hear)
        except ConfigError as error:
            told = error.problem.removeprefix("dbt refuses the project: ")
            raise ConfigError(f"selection '{' '.join(selection)}'", told) from error
        if nothing or not result:
            raise ConfigError(
                f"selection '{nothing[0] if nothing else ' '.join(selection)}'",
                "nothing in the dbt project is chosen by it",
                "Try it: dbt ls --select …",
            )
        return frozenset(str(json.loads(each)["unique_id"]) for each in result)

    def parse(self, session: Session) -> Graph:
        """Read the whole project. Raises ConfigError when dbt refuses it."""
        self._invoke(["parse", *self._arguments()], session, lambda *_: None, {})
        return self.graph()

    def compile(
        self, session: Session, nodes: Sequence[Node], *, whole: bool = False
    ) -> dict[str, str]:
        """Return the SQL of nodes by id. Raises ConfigError when one has none.

        `whole`: as they are built from nothing; else an incremental model that is
        there may say what is added to it.
        """
        chosen = ["--select", *(f"fqn:{node.fqn}" for node in nodes)]
        if whole:
            chosen = ["--full-refresh", *chosen]
        arguments = ["compile", *self._arguments(), *chosen]
        result = self._invoke(arguments, session, lambda *_: None, {})
        made = [_node_result(each) for each in result.results]
        for node in made:
            if node.failed:
                raise ConfigError(str(self._shown), str(node.message).strip())
        return {node.id: node.compiled_code or "" for node in made}

    def graph(self) -> Graph:
        """Return the graph of the project as dbt read it last."""
        folder = self._project_dir / SERVICE_FOLDER
        text = (folder / "target" / "manifest.json").read_text()
        return read_graph(json.loads(text))

    def _arguments(self) -> list[str]:
        return [
            *("--project-dir", str(self._project_dir)),
            *profile_arguments(self._project_dir, self._target),
            *("--log-level", "none", "--log-level-file", "none", "--quiet"),
            "--no-send-anonymous-usage-stats",
        ]

    def _invoke(
        self,
        arguments: list[str],
        session: Asked,
        done: NodeDone,
        sent: Sent,
        hear: Callable[[Any], None] = lambda event: None,
    ) -> Any:
        install_package(self._project_dir)
        environ = {
            "SNOWMELT_WAREHOUSE": str(self._warehouse_path),
            "DBT_LOG_PATH": str(self._project_dir / SERVICE_FOLDER / "logs"),
        }
        with _DBT_LOCK, _environment(environ), _handed(session, sent):
            from dbt.cli.main import dbtRunner

            runner = dbtRunner(callbacks=[lambda event: _tell(event, done), hear])
            result = runner.invoke(arguments)
        if result.exception is not None:
            raise _refusal(self._shown, str(result.exception).strip())
        return result.result


def _refusal(project_dir: Path, told: str) -> ConfigError:
    """Return what dbt told of a project that it cannot read."""
    if "dbt deps" in told:
        return ConfigError(
            str(project_dir),
            f"packages of the dbt project are not installed: {told}",
            f"Install them: dbt deps --project-dir {project_dir}",
        )
    return ConfigError(str(project_dir), f"dbt refuses the project: {told}")


class _Handle:
    """What dbt takes for a connection: our session, results read at once.

    Several of dbt's threads share the one session, so each statement and the reading
    of its result is one step under a lock.
    """

    def __init__(self, session: Asked, lock: threading.RLock, sent: Sent) -> None:
        self._session = session
        self._lock = lock
        self._sent = sent
        self._rows: list[tuple[Any, ...]] = []
        self.description: list[tuple[Any, ...]] | None = None
        self.rowcount = -1

    def cursor(self) -> _Handle:
        return self

    def execute(self, sql: str, bindings: Any = None) -> _Handle:
        if sql.strip().rstrip(";").upper() in ("BEGIN", "COMMIT"):
            return self
        with self._lock:
            self._sent.setdefault(node_of_dbt() or "", []).append(sql)
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
def _handed(session: Asked, sent: Sent) -> Iterator[None]:
    """Make dbt-duckdb take the session for its database while the block lasts."""
    from dbt.adapters.duckdb import environments
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.adapters.duckdb.environments.local import LocalEnvironment

    lock = threading.RLock()

    class HandedEnvironment(LocalEnvironment):  # type: ignore[misc]
        def handle(self) -> _Handle:
            return _Handle(session, lock, sent)

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
        id=str(node.unique_id),
    )
