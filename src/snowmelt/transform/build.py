"""One build on a session: what dbt sent before is sent again, or dbt is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from snowmelt.clock import Clock
from snowmelt.transform.change_logs import cut_logs, forget_streams
from snowmelt.transform.dbt import Dbt, Sent
from snowmelt.transform.graph import Graph, Node
from snowmelt.transform.node_result import NodeResult
from snowmelt.transform.recording import (
    has_effect,
    load_recordings,
    test_query,
)
from snowmelt.transform.replay import NodeDone, Replay
from snowmelt.transform.row_rules import broken_rules
from snowmelt.transform.statements import node_of_dbt
from snowmelt.transform.trigger import EVERYTHING, BuildPlan, Changes, Pass, plan_build
from snowmelt.warehouse.port import Session

RECORDINGS = Path(".snowmelt/recordings.json")
_CONSEQUENCE = "Current transaction is aborted"
_SHAPE = """
    select coalesce(md5(string_agg(
        schema_name || '.' || table_name || '.' || column_name || ' ' || data_type,
        ',' order by schema_name, table_name, column_index
    )), '')
    from duckdb_columns()
    where database_name = current_database() and not internal
        and schema_name not in ('snowmelt', 'changes')
        and schema_name not like 'dev%'
"""


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


class Builder:
    """Builds what changed, on a session, in the caller's transaction."""

    def __init__(self, dbt: Dbt, project_dir: Path, clock: Clock) -> None:
        self._dbt = dbt
        self._clock = clock
        self._recordings = load_recordings(project_dir / RECORDINGS)
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
        the project.
        """
        self._sent = self._replay = None
        self._build(session, changes, digest, done, built)
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
            self._ask_dbt(session, [EVERYTHING], done, built)
            built.full_refresh = ("everything",)
            built.fallback_reason = changes.reason
            graph = self._dbt.graph()
            self._recordings.begin(digest, graph)
            if not built.failed:
                forget_streams(session, graph)
            return
        known = self._recordings.of_project(digest)
        graph = known or self._dbt.parse(session)
        if known is None:
            self._recordings.begin(digest, graph)
        plan = plan_build(changes, graph)
        if not plan.nodes:
            return
        built.full_refresh = plan.refreshed
        shape = str(session.value(_SHAPE))
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
        self._replay.run(_to_replay(plan.nodes), set(plan.sources))
        self._judge_rules(session, graph, built)

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
        self._judge_rules(session, self._dbt.graph(), built)
        self._sent = (sent, str(session.value(_SHAPE)))

    def _judge_rules(self, session: Session, graph: Graph, built: Built) -> None:
        made = {node.id for node in built.nodes if node.status == "success"}
        if any(node.status == "error" for node in built.nodes):
            return
        for node in graph.nodes.values():
            if node.id in made and node.row_rules:
                built.nodes += broken_rules(session, node)


def _say_refreshed(plan: BuildPlan) -> str:
    if not plan.refreshed:
        return ""
    return f"corrections refresh {', '.join(plan.refreshed)}"


def _say_stale(session: Session) -> str:
    """Name a stream whose log was begun anew: its reader has to read everything."""
    stale = session.value(
        "select min(streams.consumer) from snowmelt.stream_offsets as streams "
        "join snowmelt.change_logs as logs on logs.relation = streams.source "
        "where streams.position < logs.cut_through"
    )
    return f"a stream of {stale} is stale" if stale else ""


def _to_replay(nodes: Sequence[Node]) -> list[Node]:
    return [node for node in nodes if node.resource_type in ("model", "test")]


def _worth_keeping(sent: Sent) -> Sent:
    """Return what has an effect, and the queries of tests."""
    kept: Sent = {}
    for node_id, statements in sent.items():
        if node_id.startswith("test."):
            kept[node_id] = [each for each in statements if test_query(each)][-1:]
        elif node_id:
            kept[node_id] = [each for each in statements if has_effect(each)]
    return kept
