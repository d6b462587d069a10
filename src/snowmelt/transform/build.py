"""One build on a session: what dbt sent before is sent again, or dbt is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from snowmelt.clock import Clock
from snowmelt.pipe.external import kept_files, require_unchanged
from snowmelt.transform.artifacts import copy_artifacts, write_run_results
from snowmelt.transform.change_logs import cut_logs, forget_streams
from snowmelt.transform.dbt import Dbt, Sent
from snowmelt.transform.graph import Graph
from snowmelt.transform.node_result import NodeResult
from snowmelt.transform.quarantine import quarantine_table
from snowmelt.transform.recording import (
    has_effect,
    load_recordings,
    needs_statements,
    test_query,
)
from snowmelt.transform.rehearsal import Untested, let_rows_arrive
from snowmelt.transform.replay import NodeDone, Replay
from snowmelt.transform.row_rules import broken_rules
from snowmelt.transform.statements import node_of_dbt
from snowmelt.transform.streams import stale_stream, tell_offsets
from snowmelt.transform.trigger import EVERYTHING, BuildPlan, Changes, Pass, plan_build
from snowmelt.warehouse.port import LINKS, Session

RECORDINGS = Path(".snowmelt/recordings.json")
_CONSEQUENCE = "Current transaction is aborted"


class Way(StrEnum):
    """How a run was built."""

    DBT = "dbt"
    REPLAY = "replay"


@dataclass
class Built:
    """What came of a build, as far as it got."""

    way: Way = Way.REPLAY
    fallback_reason: str | None = None
    full_refresh: tuple[str, ...] = ()
    nodes: list[NodeResult] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Must the run not be published?"""
        return any(node.failed for node in self.nodes)

    @property
    def broke_in_replay(self) -> bool:
        """Did a statement that dbt sent before fail now?"""
        errors = any(node.status == "error" for node in self.nodes)
        return errors and self.way is Way.REPLAY


class Builder:
    """Builds what changed, on a session, in the caller's transaction."""

    def __init__(
        self, dbt: Dbt, project_dir: Path, clock: Clock, bronze: str = "bronze"
    ) -> None:
        """`bronze` is the schema that pipes load into."""
        self._dbt = dbt
        self._bronze = bronze
        self._clock = clock
        self._project_dir = project_dir
        self._recordings = load_recordings(project_dir / RECORDINGS)
        self.graph = Graph((), ())
        """The project as the last build saw it."""
        self._sent: tuple[Sent, str] | None = None
        self._replay: Replay | None = None

    def node_at(self) -> str | None:
        """Return the node that is being made or tested, on the thread that asks."""
        return self._replay.node_at if self._replay else node_of_dbt()

    def build(
        self,
        session: Session,
        changes: Changes,
        digest: str,
        done: NodeDone,
        built: Built,
    ) -> None:
        """Build and test what the changes touch; `built` tells of it as it goes on.

        Models and tests that fail are in `built`. Raises ConfigError when dbt refuses
        the project, RunError when a file that bronze is a view of was written over:
        before the build, or under it.
        """
        self._sent = self._replay = None
        folder, kept = self._project_dir / LINKS, kept_files(session)
        require_unchanged(kept, folder)
        tell_offsets(session)
        self._build(session, changes, digest, done, built)
        require_unchanged(kept, folder)
        if not any(node.status == "error" for node in built.nodes):
            cut_logs(session)

    def _build(
        self,
        session: Session,
        changes: Changes,
        digest: str,
        done: NodeDone,
        built: Built,
    ) -> None:
        if changes.everything:
            self._rebuild(session, digest, changes.reason, done, built)
            return
        graph = self._graph(session, digest)
        plan = plan_build(changes, graph, self._bronze)
        if not plan.nodes:
            return
        built.full_refresh = plan.refreshed
        shape = _shape(session, graph)
        if self._recordings.shape not in ("", shape):
            self._rebuild(
                session, digest, "the columns of a table changed", done, built
            )
            return
        reason = (
            _say_refreshed(plan)
            or _say_stale(session)
            or self._recordings.reason_against(list(plan.nodes), shape)
        )
        if reason:
            built.fallback_reason = reason
            self._ask_dbt(session, plan.passes, done, built)
            return
        self._replay = Replay(session, graph, self._recordings, self._clock, done)
        built.nodes = self._replay.results
        self._replay.run(plan)
        self._judge_rules(session, built)

    def _rebuild(
        self,
        session: Session,
        digest: str,
        reason: str,
        done: NodeDone,
        built: Built,
    ) -> None:
        """Let dbt build everything from nothing."""
        built.full_refresh = ("everything",)
        built.fallback_reason = reason
        self._ask_dbt(session, [EVERYTHING], done, built)
        self._recordings.begin(digest, self.graph)
        if not built.failed:
            forget_streams(session, self.graph)

    def made_tables(self, session: Session, digest: str) -> list[str]:
        """Return every table that models make, and the quarantine of those that judge.

        Written as SQL. Views show what tables hold, and are left out.
        """
        graph = self._graph(session, digest)
        tables = []
        for node in graph.nodes.values():
            if node.resource_type == "model" and needs_statements(node):
                tables.append(node.relation)
            if node.materialized == "latest_version":
                tables.append(quarantine_table(node.key))
        return sorted(tables)

    def remake_sample(
        self, session: Session, digest: str, keys: int
    ) -> Iterator[tuple[str, int]]:
        """Make some keys of each affected_keys model again, as runs do.

        Yields a model's table and how many of its rows come out otherwise. Models that
        are not recorded are left out.
        """
        for node in self._graph(session, digest).nodes.values():
            statements = self._recordings.statements_of(node)
            if node.materialized != "affected_keys" or statements is None:
                continue
            affected, changed = node.scratch("affected"), node.scratch("changed")
            listed = ", ".join(node.affected_by)
            session.execute(
                f'create or replace temp table "{affected}" as '  # noqa: S608
                f"select distinct {listed} from "
                f"(select {listed} from {node.relation} using sample {keys} rows)"
            )
            for statement in statements[1:3]:
                session.execute(statement)
            differing = session.value(f'select count(*) from "{changed}"')  # noqa: S608
            yield node.relation, int(differing)

    def rehearse(self, session: Session, digest: str) -> bool:
        """Let dbt build on what is published, twice, for its statements alone.

        The second time streams yield something: what is the same on different data is
        replayable. For a transaction that is rolled back. Returns whether anything was
        recorded.
        """
        self._replay = None
        graph = self._graph(session, digest)
        shape = _shape(session, graph)
        for streams_yield in (False, True):
            if streams_yield:
                let_rows_arrive(session)
            build = self._dbt.build(Untested(session), Pass(), lambda *_: None)
            if any(node.failed for node in build.nodes):
                return False
            self._recordings.observe(_worth_keeping(build.sent), shape)
        self._recordings.begin(digest, graph)
        self._recordings.save()
        return True

    def lacks_recordings(self, digest: str) -> bool:
        """Would a run of everything ask dbt for want of recordings alone?"""
        graph = self._recordings.of_project(digest)
        if graph is None:
            return True
        return any(
            needs_statements(node)
            and not node.asks_dbt
            and self._recordings.statements_of(node) is None
            for node in graph.nodes.values()
        )

    def _graph(self, session: Session, digest: str) -> Graph:
        graph = self._recordings.of_project(digest)
        if graph is None:
            graph = self._dbt.parse(session)
            self._recordings.begin(digest, graph)
        self.graph = graph
        return graph

    def tell_artifacts(self, run_id: str, built: Built) -> None:
        """Put a run's artifacts where tools look for dbt's."""
        if built.way is Way.DBT:
            copy_artifacts(self._project_dir)
        else:
            now = self._clock.now()
            write_run_results(self._project_dir, run_id, built.nodes, now)

    def forget(self) -> None:
        """Give up what was recorded: the next build asks dbt."""
        self._recordings.forget()

    def keep(self) -> None:
        """Take note of what dbt sent: the run that it was sent for is published."""
        if self._sent is not None:
            self._recordings.observe(*self._sent)
            self._recordings.save()
        self._sent = None

    def _ask_dbt(
        self, session: Session, passes: Sequence[Pass], done: NodeDone, built: Built
    ) -> None:
        built.way = Way.DBT
        sent: Sent = {}
        for chosen in passes:
            build = self._dbt.build(session, chosen, done)
            built.nodes += [
                node for node in build.nodes if _CONSEQUENCE not in (node.message or "")
            ]
            if built.failed:
                return
            if not chosen.full_refresh:
                sent |= _worth_keeping(build.sent)
        self.graph = self._dbt.graph()
        self._judge_rules(session, built)
        if not built.failed:
            self._sent = (sent, _shape(session, self.graph))

    def _judge_rules(self, session: Session, built: Built) -> None:
        made = {node.id for node in built.nodes if node.status == "success"}
        if any(node.status == "error" for node in built.nodes):
            return
        for node in self.graph.nodes.values():
            if node.id in made and node.rules:
                built.nodes += broken_rules(session, node)


def _shape(session: Session, graph: Graph) -> str:
    """Return a fingerprint of the columns of all that models read and make."""
    made = {node.key for node in graph.nodes.values() if node.relation}
    read = {f"{each.schema}.{each.table}" for each in graph.sources.values()}
    return str(
        session.value(
            "select coalesce(md5(string_agg(concat_ws('.', schema_name, table_name, "
            "column_name, data_type), ',' "
            "order by schema_name, table_name, column_index)), '') "
            "from duckdb_columns() where database_name = current_database() "
            "and not internal and lower(schema_name || '.' || table_name) in "
            "(select unnest($1::json::varchar[]))",
            [sorted(each.lower() for each in made | read)],
        )
    )


def _say_refreshed(plan: BuildPlan) -> str:
    if not plan.refreshed:
        return ""
    return f"corrections refresh {', '.join(plan.refreshed)}"


def _say_stale(session: Session) -> str:
    stale = stale_stream(session)
    return f"a stream of {stale} is stale" if stale else ""


def _worth_keeping(sent: Sent) -> Sent:
    """Return what has an effect, and the queries of tests."""
    kept: Sent = {}
    for node_id, statements in sent.items():
        if node_id.startswith("test."):
            kept[node_id] = [each for each in statements if test_query(each)][-1:]
        elif node_id:
            kept[node_id] = [each for each in statements if has_effect(each)]
    return kept
