"""The fast way of a run: what dbt sent is sent again, then what it touches is tested.

Nodes go in the order of a build. One that reads streams is left out while its streams
have nothing for it; so is whatever reads only what did not change. After a failure what
comes after it is left out, and everything else goes on, as in a build of dbt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from snowmelt.clock import Clock
from snowmelt.transform.delta_tests import on_changes
from snowmelt.transform.graph import Graph, Node
from snowmelt.transform.node_result import NodeResult
from snowmelt.transform.recording import (
    MAKES_SCRATCH,
    ONLY_WHERE_ROWS_IN,
    ONLY_WHERE_ROWS_WENT,
    Recordings,
    needs_statements,
    test_query,
)
from snowmelt.transform.trigger import BuildPlan
from snowmelt.warehouse.port import Session

_REPLAYED = ("model", "test")
NodeDone = Callable[[str, str, int, int], None]


@dataclass
class Replay:
    """One replay of some nodes of a project, on a session, in its transaction."""

    session: Session
    graph: Graph
    recordings: Recordings
    clock: Clock
    done: NodeDone
    results: list[NodeResult] = field(default_factory=list)
    node_at: str | None = None
    _changed: set[str] = field(default_factory=set)
    _corrected: frozenset[str] = frozenset()
    _left_out: set[str] = field(default_factory=set)
    _scratch_rows: dict[str, int] = field(default_factory=dict)

    def begin(self, plan: BuildPlan) -> None:
        """Take note of what a plan builds on."""
        self._changed, self._corrected = set(plan.sources), plan.corrected

    def run(self, chosen: Iterable[Node]) -> list[NodeResult]:
        """Send what is recorded for nodes of the plan: all of them, or a part.

        In the plan's order, each once, and none before what it reads.
        """
        nodes = [node for node in chosen if node.resource_type in _REPLAYED]
        for index, node in enumerate(nodes, start=1):
            self.node_at = node.id
            left_out = node.id in self._left_out
            if left_out or not self._left_out.isdisjoint(node.parents):
                self._leave_out(node)
            elif self._changed.isdisjoint(node.parents):
                continue
            elif node.is_test:
                self._test(node)
            else:
                self._make(node)
            if self.results and self.results[-1].id == node.id:
                self.done(node.name, self.results[-1].status, index, len(nodes))
            if self.results and self.results[-1].status == "error":
                break  # the engine has given up the transaction
        self.node_at = None
        return self.results

    def test_whole(self, tests: Sequence[Node]) -> None:
        """Run recorded tests over whole tables, whatever changed."""
        for index, node in enumerate(tests, start=1):
            self.node_at = node.id
            self._test(node, whole=True)
            self.done(node.name, self.results[-1].status, index, len(tests))
            if self.results[-1].status == "error":
                break
        self.node_at = None

    def _leave_out(self, node: Node) -> None:
        self._left_out.add(node.id)
        self._note(node, "skipped", 0.0)

    def _make(self, node: Node) -> None:
        """Make a model again, and find out whether it changed."""
        if not needs_statements(node):
            self._changed.add(node.id)
            return
        began = self.clock.monotonic()
        rows_went = not self._corrected.isdisjoint(node.parents)
        try:
            for statement in self.recordings.statements_of(node) or ():
                if rows_went or ONLY_WHERE_ROWS_WENT not in statement:
                    self._send(statement)
        except Exception as error:  # noqa: BLE001 - the driver's, whichever that is
            self._note(node, "error", self.clock.monotonic() - began, str(error))
            return
        # without a log nobody can tell
        if not node.keeps_log or self._scratch_rows.get(node.scratch("changed")) != 0:
            self._changed.add(node.id)
        self._note(node, "success", self.clock.monotonic() - began)

    def _send(self, statement: str) -> None:
        """Send a statement, unless it does nothing because a table before it is empty.

        A temporary table that it would make counts as empty then.
        """
        made, needed = (
            found[1] if found else ""
            for found in (
                MAKES_SCRATCH.search(statement),
                ONLY_WHERE_ROWS_IN.search(statement),
            )
        )
        rows = self._scratch_rows
        is_idle = needed != "" and rows.get(needed) == 0
        count = 0 if is_idle else self.session.value(statement)
        if made:
            rows[made] = int(str(count))

    def _test(self, node: Node, *, whole: bool = False) -> None:
        """Look for failing rows: among what changed where the test has such a form."""
        (statement,) = self.recordings.statements_of(node) or ("",)
        everywhere = test_query(statement) or statement
        queries = (
            None
            if whole
            else on_changes(node, everywhere, self.graph.nodes, self._changed)
        )
        if queries == []:
            return
        form = "replayed" if queries is None else "delta"
        query = (
            everywhere
            if queries is None
            else " union all ".join(
                f"select * from ({each})"  # noqa: S608 - dbt's text
                for each in queries
            )
        )
        began = self.clock.monotonic()
        try:
            failures, warns, errors = self._count(node, query)
        except Exception as error:  # noqa: BLE001 - as above
            self._note(node, "error", self.clock.monotonic() - began, str(error))
            return
        status = _judge(node, warns=warns, errors=errors)
        if status == "fail":
            self._left_out |= self._stopped_by(node)
        self.results.append(
            NodeResult(
                node=node.name,
                resource_type="test",
                status=status,
                seconds=self.clock.monotonic() - began,
                failures=failures,
                message=_message(node, status, failures),
                compiled_code=query,
                form=form,
                id=node.id,
            )
        )

    def _stopped_by(self, test: Node) -> set[str]:
        """Return the models that wait for a test: they read all that it tests."""
        reading = [self.graph.downstream([parent]) for parent in test.parents]
        return {
            each
            for each in set.intersection(*reading)
            if self.graph.nodes[each].resource_type == "model"
        }

    def _count(self, node: Node, query: str) -> tuple[int, bool, bool]:
        about = node.test or {}
        limit = f" limit {about['limit']}" if about["limit"] else ""
        calculated = about["fail_calc"]
        row = self.session.rows(
            f"select {calculated}, coalesce({calculated} {about['warn_if']}, false), "  # noqa: S608
            f"coalesce({calculated} {about['error_if']}, false) "
            f"from ({query}{limit}) as dbt_internal_test"
        )[0]
        return int(row[0] or 0), bool(row[1]), bool(row[2])

    def _note(
        self, node: Node, status: str, seconds: float, message: str | None = None
    ) -> None:
        self.results.append(
            NodeResult(
                node=node.name,
                resource_type=node.resource_type,
                status=status,
                seconds=seconds,
                failures=None,
                message=message,
                compiled_code=None,
                form="replayed",
                id=node.id,
            )
        )


def _judge(node: Node, *, warns: bool, errors: bool) -> str:
    """Return a test's status by dbt's severity, the only switch there is."""
    if str((node.test or {})["severity"]).lower() == "error" and errors:
        return "fail"
    return "warn" if warns else "pass"


def _message(node: Node, status: str, failures: int) -> str | None:
    if status == "pass":
        return None
    limit = (node.test or {})["error_if" if status == "fail" else "warn_if"]
    results = "result" if failures == 1 else "results"
    return f"Got {failures} {results}, configured to {status} if {limit}"
