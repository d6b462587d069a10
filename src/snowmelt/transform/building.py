"""One build under way in its caller's transaction: at once, or stage by stage.

What dbt sent before is sent again, or dbt is asked: that is decided once, for all that
is due. However it is divided into stages, the same is made and tested, in an order in
which nothing comes before what it reads.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from snowmelt.clock import Clock
from snowmelt.pipe.external import kept_files, require_unchanged
from snowmelt.transform.change_logs import cut_logs, forget_streams
from snowmelt.transform.dbt import Dbt, Sent
from snowmelt.transform.graph import Graph, Node
from snowmelt.transform.node_result import NodeResult
from snowmelt.transform.recording import Recordings, has_effect, test_query
from snowmelt.transform.replay import NodeDone, Replay
from snowmelt.transform.row_rules import broken_rules
from snowmelt.transform.stages import exact_passes, selected_tests, stage_nodes
from snowmelt.transform.statements import node_of_dbt
from snowmelt.transform.streams import stale_stream, tell_offsets
from snowmelt.transform.trigger import EVERYTHING, BuildPlan, Changes, Pass, plan_build
from snowmelt.warehouse.port import LINKS, Session

_ABORTING = ("error", "runtime error")
_CONSEQUENCE = "Current transaction is aborted"


class Way(StrEnum):
    """How a run was built."""

    DBT = "dbt"
    REPLAY = "replay"


@dataclass
class Built:
    """What came of a build, as far as it got. `asked`: how often dbt was."""

    way: Way = Way.REPLAY
    fallback_reason: str | None = None
    full_refresh: tuple[str, ...] = ()
    nodes: list[NodeResult] = field(default_factory=list)
    asked: int = 0

    @property
    def failed(self) -> bool:
        """Must the run not be published?"""
        return any(node.failed for node in self.nodes)

    @property
    def broke_in_replay(self) -> bool:
        """Did a statement that dbt sent before fail now?"""
        return any(node.status == "error" and node.form != "dbt" for node in self.nodes)


@dataclass(frozen=True)
class Tools:
    """What builds of one project are made with; `bronze`: where pipes load into."""

    dbt: Dbt
    recordings: Recordings
    project_dir: Path
    clock: Clock
    bronze: str

    def graph(self, session: Session, digest: str) -> Graph:
        """Return the graph of this state of the project; dbt reads it if need be."""
        graph = self.recordings.of_project(digest)
        if graph is None:
            graph = self.dbt.parse(session)
            self.recordings.begin(digest, graph)
        return graph

    def select(
        self, session: Session, digest: str, selection: Sequence[str]
    ) -> frozenset[str]:
        """Return the ids that a selection names; dbt is asked once for each."""
        self.graph(session, digest)
        known, key = self.recordings.selections, " ".join(selection)
        if key not in known:
            known[key] = self.dbt.select(session, selection)
            self.recordings.save()
        return known[key]


class Building:
    """One build. `built` tells of it as it goes on, `done` hears of each node.

    Models and tests that fail are in `built`; nothing may be built after that. Its
    steps raise ConfigError when dbt refuses the project or a selection, RunError when
    a file that bronze is a view of was written over: before the build, or under it.
    """

    def __init__(
        self,
        tools: Tools,
        session: Session,
        digest: str,
        done: NodeDone,
        built: Built,
    ) -> None:
        self._tools = tools
        self._session = session
        self._digest = digest
        self._done = done
        self.built = built
        self.graph = Graph((), ())
        """The project as this build sees it; nothing while nobody needed it."""
        self.sent: tuple[Sent, str] | None = None
        """What dbt sent, and on which columns: worth keeping if it is published."""
        self._said: Sent = {}
        self._plan = BuildPlan(())
        self._everything = False
        self._replay: Replay | None = None
        self._made: set[str] = set()
        self._judged: set[str] = set()
        self._kept = kept_files(session)

    def node_at(self) -> str | None:
        """Return the node that is being made or tested, on the thread that asks."""
        return (self._replay and self._replay.node_at) or node_of_dbt()

    def begin(self, changes: Changes) -> None:
        """Decide what is due, and in which way it is built."""
        self.require_unchanged()
        tell_offsets(self._session)
        if changes.everything:
            self._from_nothing(changes.reason)
            return
        self.graph = self._tools.graph(self._session, self._digest)
        plan = plan_build(changes, self.graph, self._tools.bronze)
        if not plan.nodes:
            return
        shape = shape_of(self._session, self.graph)
        recordings = self._tools.recordings
        if recordings.shape not in ("", shape):
            self._from_nothing("the columns of a table changed")
            return
        self._plan = plan
        self.built.full_refresh = plan.refreshed
        reason = (
            _say_refreshed(plan)
            or _say_stale(self._session)
            or recordings.reason_against(list(plan.nodes), shape)
        )
        if reason:
            self.built.way, self.built.fallback_reason = Way.DBT, reason
            return
        self._replay = self._replaying()
        self._replay.begin(plan)

    def _from_nothing(self, reason: str) -> None:
        self._everything = True
        self.built.way, self.built.fallback_reason = Way.DBT, reason
        self.built.full_refresh = ("everything",)

    def _replaying(self) -> Replay:
        tools, results = self._tools, self.built.nodes
        return Replay(
            self._session,
            self.graph,
            tools.recordings,
            tools.clock,
            self._done,
            results,
        )

    def make(self, selection: Sequence[str]) -> None:
        """Make and test what is due of a selection, and first what that reads."""
        self._stage(self._named(selection))

    def make_rest(self) -> None:
        """Make and test all that is due and that no stage made."""
        if self._made or self._replay:
            self._carry_out(self._left())
        elif self._everything:
            self._ask_dbt([EVERYTHING])
            self.graph = self._tools.dbt.graph()
            self._tools.recordings.begin(self._digest, self.graph)
        else:
            self._ask_dbt(self._plan.passes)
        self._judge_rules()

    def test(self, selection: Sequence[str]) -> None:
        """Run the tests of a selection over whole tables, whatever changed.

        What is due of the selection is made first. A test that looks at something else
        that is due and not made yet waits for it.
        """
        named = self._named(selection)
        self._stage(named)
        if self.built.failed:
            return
        unmade = {node.id for node in self._left() if not node.is_test}
        tests = selected_tests(self.graph, named, unmade)
        ids = {node.id for node in tests}
        before = self.built.nodes
        # what is found now stands for what a test found among what changed
        before[:] = [
            each
            for each in before
            if not (each.resource_type == "test" and each.id in ids)
        ]
        shape = shape_of(self._session, self.graph)
        if tests and self._tools.recordings.reason_against(tests, shape):
            self._ask_dbt(exact_passes(tests, (), self.graph))
        else:
            self._replay = self._replay or self._replaying()
            self._replay.test_whole(tests)
        self.require_unchanged()

    def end(self) -> None:
        """Do what comes after the last stage, if nothing failed."""
        if self._said or self._everything or self.built.way is Way.DBT:
            self.sent = self._said, shape_of(self._session, self.graph)
        if self._everything:
            forget_streams(self._session, self.graph)
        cut_logs(self._session)

    def require_unchanged(self) -> None:
        """Raise RunError if a file that bronze is a view of was written over."""
        require_unchanged(self._kept, self._tools.project_dir / LINKS)

    def _named(self, selection: Sequence[str]) -> frozenset[str]:
        session, digest = self._session, self._digest
        named = self._tools.select(session, digest, selection)
        self.graph = self._tools.graph(session, digest)
        return named

    def _left(self) -> list[Node]:
        """Return what is due and not made yet."""
        due = self.graph.nodes.values() if self._everything else self._plan.nodes
        return [node for node in due if node.id not in self._made]

    def _stage(self, named: Collection[str]) -> None:
        """Carry out a stage. A test is a reason to build only where no model is named.

        A folder names its tests as well, some of which may look at later stages.
        """
        models = {
            each
            for each in named
            if each in self.graph.nodes and not self.graph.nodes[each].is_check
        }
        self._carry_out(stage_nodes(self._left(), models or named, self._made))
        self._judge_rules()

    def _carry_out(self, nodes: Sequence[Node]) -> None:
        if not nodes:
            return
        self._made.update(node.id for node in nodes)
        if self.built.way is Way.REPLAY and self._replay:
            self._replay.run(nodes)
        else:
            anew = (
                self.graph.nodes.keys() if self._everything else self._plan.from_nothing
            )
            self._ask_dbt(exact_passes(nodes, anew, self.graph))

    def _ask_dbt(self, passes: Sequence[Pass]) -> None:
        for chosen in passes:
            self.built.asked += 1
            build = self._tools.dbt.build(self._session, chosen, self._done)
            self.built.nodes += [
                node for node in build.nodes if _CONSEQUENCE not in (node.message or "")
            ]
            if self.built.failed:
                return
            if not chosen.full_refresh:
                self._said |= worth_keeping(build.sent)

    def _judge_rules(self) -> None:
        """Ask for rows that rules of the models made since the last time refused."""
        self.require_unchanged()
        if any(node.status in _ABORTING for node in self.built.nodes):
            return
        made = {node.id for node in self.built.nodes if node.status == "success"}
        for node in self.graph.nodes.values():
            if node.id in made - self._judged and node.rules:
                self.built.nodes += broken_rules(self._session, node)
        self._judged |= made


def shape_of(session: Session, graph: Graph) -> str:
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


def worth_keeping(sent: Sent) -> Sent:
    """Return what has an effect, and the queries of tests."""
    kept: Sent = {}
    for node_id, statements in sent.items():
        if node_id.startswith("test."):
            kept[node_id] = [each for each in statements if test_query(each)][-1:]
        elif node_id:
            kept[node_id] = [each for each in statements if has_effect(each)]
    return kept


def _say_refreshed(plan: BuildPlan) -> str:
    if not plan.refreshed:
        return ""
    return f"corrections refresh {', '.join(plan.refreshed)}"


def _say_stale(session: Session) -> str:
    stale = stale_stream(session)
    return f"a stream of {stale} is stale" if stale else ""
