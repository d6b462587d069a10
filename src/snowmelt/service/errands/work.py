"""Doing errands: each kind, and what came of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from snowmelt.errors import RunError, SnowmeltError, UnreachableError, UsageError
from snowmelt.gold.audit import AuditState
from snowmelt.gold.run_result import RunResult
from snowmelt.serve.commands import Document
from snowmelt.serve.errand_state import ErrandState
from snowmelt.service.documents import SCHEMA_VERSION, run_document
from snowmelt.service.errands.failing import failed_nodes, problem_of
from snowmelt.service.errands.ledger import Wish
from snowmelt.service.errands.since import (
    FILES_SHOWN,
    Loaded,
    loads_of,
    run_of,
    unmended,
)
from snowmelt.service.errands.spanned import spanned
from snowmelt.service.loading import Loading
from snowmelt.service.loop import Loop
from snowmelt.service.questions import read_instant
from snowmelt.service.tasks.answers import graph_run_document
from snowmelt.service.tasks.verbs import TaskVerbs
from snowmelt.transform.project_digest import project_digest

LOOK_SECONDS = 0.1
BLOCKED_SECONDS_MAX = 3600.0
SELECTED_SHOWN = 200


@dataclass(frozen=True)
class Outcome:
    """What an errand came to."""

    state: ErrandState
    answer: Document | None = None
    run_id: str | None = None
    problem: str | None = None


@dataclass
class Live:
    """An errand that is being done. `cancel` may be called on any thread."""

    errand: int
    group_id: str | None = None
    is_begun_here: bool = False
    """Did this process begin its graph run?"""
    cancelled: threading.Event = field(default_factory=threading.Event)
    reason: str = "it was cancelled"
    _break_off: Callable[[], object] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def cancel(self, reason: str) -> None:
        """Have it end soon, and break off what can be."""
        with self._lock:
            self.reason = reason
            self.cancelled.set()
            break_off, self._break_off = self._break_off, None
        if break_off is not None:
            break_off()

    def breakable(self, break_off: Callable[[], object]) -> None:
        """Say how to break off what is under way from now on."""
        with self._lock:
            if not self.cancelled.is_set():
                self._break_off = break_off
                return
        break_off()


class Work:
    """Does errands on a loop that another thread turns."""

    def __init__(self, loop: Loop, note_graph_run: Callable[[int, str], None]) -> None:
        self._loop = loop
        self._parts = loop.parts
        self._note_graph_run = note_graph_run
        self._kinds: dict[str, Callable[[Live, dict[str, Any]], Outcome]] = {
            "run": self._run,
            "refresh": self._run,
            "rebuild": self._rebuild,
            "audit": self._audit,
            "tasks": self._tasks,
        }

    def do(self, live: Live, wish: Wish) -> Outcome:
        """Do an errand to its end. Raises UnreachableError when the service stops."""
        try:
            outcome = self._kinds[wish.what](live, wish.asked)
        except UnreachableError as error:
            if self._loop.stopping and not live.cancelled.is_set():
                raise
            outcome = _failed(str(error))
        except SnowmeltError as error:
            outcome = _failed(str(error))
        if live.cancelled.is_set() and outcome.state is not ErrandState.SUCCEEDED:
            return Outcome(
                ErrandState.CANCELLED, outcome.answer, outcome.run_id, live.reason
            )
        return outcome

    # Load and publish.

    def _run(self, live: Live, asked: dict[str, Any]) -> Outcome:
        select = asked.get("select") or []
        digest = project_digest(self._parts.project.root)
        ids = self._parts.publication.selected(digest, select) if select else None
        loading = Loading(self._loop, serving=True, given_up=live.cancelled)
        if "pipe" in asked or "prefix" in asked:
            document = loading.refresh(asked.get("pipe"), asked.get("prefix"), None)
        else:
            document = loading.run(None)
        load_seqs = spanned(self._parts, document["loads"], asked)
        loaded = self._look_back(document, asked)
        run = document["run"]
        nodes = failed_nodes(self._parts, run["failures"]) if run else []
        is_broken = bool(run and run["state"] == "FAILED")
        problems = [*self._left_waiting(document["paused"], asked)]
        problems += document["problems"]
        more = (run["error"] if run and is_broken else None) or next(
            iter(problems), None
        )
        answer = {
            "schema_version": SCHEMA_VERSION,
            "loads": loaded.count,
            "load_seqs": load_seqs,
            "row_count": loaded.row_count,
            "error_count": loaded.error_count,
            "files": loaded.files,
            "failed_loads": loaded.failed,
            "failed_count": loaded.failed_count,
            "held": document["held"][:FILES_SHOWN],
            "unmatched": document["unmatched"][:FILES_SHOWN],
            "settling": document["settling"][:FILES_SHOWN],
            "paused": document["paused"],
            "warnings": document["warnings"],
            "run": _short(run, nodes),
        }
        if ids is not None:
            answer["selected"] = self._selected(ids)
        failed = bool(loaded.failed or is_broken or problems)
        return Outcome(
            ErrandState.FAILED if failed else ErrandState.SUCCEEDED,
            answer,
            run["run_id"] if run else None,
            problem_of(loaded.failed, nodes, more, loaded.failed_count)
            if failed
            else None,
        )

    def _look_back(self, document: Document, asked: dict[str, Any]) -> Loaded:
        """Return what was loaded; what the service did by itself since, if asked."""
        since = read_instant("since", asked.get("since"))
        if since is None:
            return Loaded.of(document["loads"])
        which = (asked.get("pipe"), asked.get("prefix"))
        earlier = read_instant("unmended_since", asked.get("unmended_since"))
        with self._parts.warehouse.snapshot() as session:
            document["run"] = document["run"] or run_of(session, since)
            loaded = loads_of(session, since, *which)
            if earlier is None or earlier >= since:
                return loaded
            times = (earlier, since)
            return loaded.and_failed(
                unmended(session, self._parts.stage, times, *which)
            )

    def _left_waiting(self, paused: list[str], asked: dict[str, Any]) -> Iterator[str]:
        """Yield why what a refresh asked for was not even looked at.

        A run is of whatever there is, and only tells which pipes are paused.
        """
        remedy = "Resume it: snowmelt resume"
        if asked.get("pipe") in paused:
            pipe = asked["pipe"]
            yield f"pipe {pipe} is paused: its files wait. {remedy} {pipe}"
            return
        if "pipe" in asked or "prefix" not in asked:
            return
        with self._loop.lock:
            states = self._parts.pending.states()
        for each in states:
            file, pipe = str(each["file_name"]), each["pipe_name"]
            if pipe in paused and file.startswith(asked["prefix"]):
                yield f"{file}: pipe {pipe} is paused. {remedy} {pipe}"

    def _selected(self, ids: frozenset[str]) -> list[Document]:
        """Return how each node of a selection was built or tested last.

        Every model is as the published run has it, also those that had no news.
        """
        graph = self._parts.publication.known_graph(
            project_digest(self._parts.project.root)
        )
        names = sorted(graph.nodes[each].name for each in ids) if graph else []
        with self._parts.warehouse.snapshot() as session:
            rows = session.rows(
                "select node, arg_max(status, run_id), max(run_id) "
                "from snowmelt.node_history "
                "where node in (select unnest($1::json::varchar[])) "
                "group by node order by node",
                [names[:SELECTED_SHOWN]],
            )
        return [
            {"node": node, "status": status, "run_id": run_id}
            for node, status, run_id in rows
        ]

    # Build anew, compare.

    def _rebuild(self, live: Live, asked: dict[str, Any]) -> Outcome:
        del asked
        digest = project_digest(self._parts.project.root)
        why = f"errand {live.errand}"
        run = self._parts.publication.stage(digest, why, rebuild=True)
        if run is None:
            return Outcome(ErrandState.SUCCEEDED, {"schema_version": SCHEMA_VERSION})
        live.breakable(lambda: run.abandon(live.reason))
        with run:
            result = run.commit()
        return self._of_run(result)

    def _of_run(self, result: RunResult) -> Outcome:
        document = run_document(result)
        assert document is not None
        nodes = failed_nodes(self._parts, document["failures"])
        failed = document["state"] == "FAILED"
        return Outcome(
            ErrandState.FAILED if failed else ErrandState.SUCCEEDED,
            {"schema_version": SCHEMA_VERSION, "run": _short(document, nodes)},
            result.run_id,
            problem_of([], nodes, document["error"]) if failed else None,
        )

    def _audit(self, live: Live, asked: dict[str, Any]) -> Outcome:
        del live, asked
        digest = project_digest(self._parts.project.root)
        result = self._parts.publication.audit(digest, "asked for")
        differing = [vars(each) for each in result.differing]
        passed = result.state is AuditState.SUCCEEDED
        told = result.error or f"{len(differing)} tables differ from a rebuild"
        return Outcome(
            ErrandState.SUCCEEDED if passed else ErrandState.FAILED,
            {
                "schema_version": SCHEMA_VERSION,
                "audit_id": result.audit_id,
                "tables_compared": result.compared,
                "differing": differing,
            },
            None,
            None if passed else told,
        )

    # The graph of tasks, or one of them.

    def _tasks(self, live: Live, asked: dict[str, Any]) -> Outcome:
        verbs, clock = TaskVerbs(self._loop, serving=True), self._parts.clock
        if live.group_id is None:
            begun = self._begin_tasks(live, verbs, asked)
            live.is_begun_here = True
            live.group_id = str(begun["graph_run"]["graph_run_group_id"])
            self._note_graph_run(live.errand, live.group_id)
        told = False
        while not self._has_ended(live):
            if self._loop.stopping:
                raise UnreachableError("the service", "it is stopping")
            if live.cancelled.is_set() and not told:
                told = True
                self._cancel_tasks(verbs, live)
            clock.wait(threading.Event() if told else live.cancelled, LOOK_SECONDS)
        with self._parts.warehouse.snapshot() as session:
            document = graph_run_document(session, live.group_id)
        run = document["graph_run"]
        broken = run["state"] != "SUCCEEDED"
        problem = f"task {run['first_error_task_name']}: {run['first_error_message']}"
        states = [
            {"task": each["name"], "state": each["state"], "run_id": each["run_id"]}
            for each in document["task_runs"]
        ]
        return Outcome(
            ErrandState.FAILED if broken else ErrandState.SUCCEEDED,
            {"schema_version": SCHEMA_VERSION, "graph_run": run, "task_runs": states},
            next((each["run_id"] for each in states if each["run_id"]), None),
            problem if broken else None,
        )

    def _begin_tasks(
        self, live: Live, verbs: TaskVerbs, asked: dict[str, Any]
    ) -> Document:
        """Begin a graph run, as soon as the one before it is over."""
        clock, tasks = self._parts.clock, self._loop.tasks.tasks
        give_up_at = clock.monotonic() + BLOCKED_SECONDS_MAX
        while True:
            with self._loop.lock:
                blocked = tasks.calendar.blocked() if tasks is not None else ""
                if not blocked:
                    name, config = asked.get("task"), asked.get("config")
                    return verbs.run(name, config, wait=False)
            if self._loop.stopping:
                raise UnreachableError("the service", "it is stopping")
            if clock.wait(live.cancelled, LOOK_SECONDS):
                raise RunError("tasks", live.reason)
            if clock.monotonic() > give_up_at:
                raise UsageError("tasks", f"{blocked}, for an hour now")

    def _has_ended(self, live: Live) -> bool:
        """Is a graph run over? One of a process that ended is, by its record."""
        tasks, group_id = self._loop.tasks.tasks, str(live.group_id)
        with self._loop.lock:
            if tasks is not None:
                known = [run.record.graph_run_group_id for run in tasks.runner.runs]
                if tasks.ended(group_id):
                    return True
                if live.is_begun_here or group_id in known:
                    return False
        with self._parts.warehouse.snapshot() as session:
            left = session.value(
                "select count(*) from snowmelt.task_graph_runs "
                "where graph_run_group_id = $1 and ended_at is null",
                [group_id],
            )
        return not left

    def _cancel_tasks(self, verbs: TaskVerbs, live: Live) -> None:
        try:
            verbs.cancel(live.group_id, live.reason)
        except UsageError:
            return  # it ended meanwhile


def _failed(problem: str) -> Outcome:
    return Outcome(ErrandState.FAILED, problem=problem)


def _short(run: Document | None, nodes: list[Document]) -> Document | None:
    """Return a run without its failing rows, with where each failure is written."""
    if run is None:
        return None
    left_out = ("failures", "reconciliation", "warnings")
    kept = {name: value for name, value in run.items() if name not in left_out}
    return kept | {"failures": nodes}
