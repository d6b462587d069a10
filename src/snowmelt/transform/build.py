"""Builds of one project: begun, rehearsed, checked, and what dbt sent kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from snowmelt.clock import Clock
from snowmelt.transform.artifacts import (
    copy_artifacts,
    run_results,
    write_run_results,
)
from snowmelt.transform.building import (
    Building,
    Built,
    Tools,
    Way,
    shape_of,
    worth_keeping,
)
from snowmelt.transform.dbt import Dbt
from snowmelt.transform.graph import Graph
from snowmelt.transform.kept_artifacts import KeptArtifacts
from snowmelt.transform.quarantine import quarantine_table
from snowmelt.transform.recording import load_recordings, needs_statements
from snowmelt.transform.rehearsal import Untested, let_rows_arrive
from snowmelt.transform.replay import NodeDone
from snowmelt.transform.statements import node_of_dbt
from snowmelt.transform.trigger import Changes, Pass
from snowmelt.warehouse.port import Session

RECORDINGS = Path(".snowmelt/recordings.json")


class Builder:
    """Builds what changed, on a session, in the caller's transaction."""

    def __init__(
        self, dbt: Dbt, project_dir: Path, clock: Clock, bronze: str = "bronze"
    ) -> None:
        """`bronze` is the schema that pipes load into."""
        self._recordings = load_recordings(project_dir / RECORDINGS)
        self._tools = Tools(dbt, self._recordings, project_dir, clock, bronze)
        self._building: Building | None = None
        self.artifacts: KeptArtifacts | None = None
        """Where the artifacts of each run are kept, if they are."""

    def node_at(self) -> str | None:
        """Return the node that is being made or tested, on the thread that asks."""
        return self._building.node_at() if self._building else node_of_dbt()

    def begin(
        self, session: Session, digest: str, done: NodeDone, built: Built
    ) -> Building:
        """Return a build of the project that its caller takes step by step."""
        self._building = Building(self._tools, session, digest, done, built)
        return self._building

    def build(
        self, session: Session, changes: Changes, digest: str, built: Built
    ) -> None:
        """Build and test what the changes touch, at once."""
        building = self.begin(session, digest, lambda *_: None, built)
        building.begin(changes)
        building.make_rest()
        if not built.failed:
            building.end()

    def selected(
        self, session: Session, digest: str, selection: Sequence[str]
    ) -> frozenset[str]:
        """Return the ids that a selection names, as dbt resolves it.

        Raises ConfigError for one that dbt does not know.
        """
        return self._tools.select(session, digest, selection)

    def known_graph(self, digest: str) -> Graph | None:
        """Return the graph of this state of the project, if dbt has read it."""
        return self._recordings.of_project(digest)

    def made_tables(self, session: Session, digest: str) -> list[str]:
        """Return every table that models make, and the quarantine of those that judge.

        Written as SQL. Views show what tables hold, and are left out.
        """
        graph = self._tools.graph(session, digest)
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
        for node in self._tools.graph(session, digest).nodes.values():
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
        self._building = None
        graph = self._tools.graph(session, digest)
        shape = shape_of(session, graph)
        for streams_yield in (False, True):
            if streams_yield:
                let_rows_arrive(session)
            build = self._tools.dbt.build(Untested(session), Pass(), lambda *_: None)
            if any(node.failed for node in build.nodes):
                return False
            self._recordings.observe(worth_keeping(build.sent), shape)
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

    def tell_artifacts(self, run_id: str, built: Built) -> None:
        """Put a run's artifacts where tools look for dbt's.

        Of a run that dbt was asked for in parts its own results tell of the last one.
        """
        root, now = self._tools.project_dir, self._tools.clock.now()
        results = run_results(run_id, built.nodes, now)
        if built.way is Way.DBT:
            copy_artifacts(root)
        if built.way is not Way.DBT or built.asked > 1:
            write_run_results(root, results)
        if self.artifacts is not None:
            self.artifacts.keep(run_id, results, now)

    def forget(self) -> None:
        """Give up what was recorded: the next build asks dbt."""
        self._recordings.forget()

    def keep(self) -> None:
        """Take note of what dbt sent: the run that it was sent for is published."""
        if self._building and self._building.sent is not None:
            self._recordings.observe(*self._building.sent)
            self._recordings.save()
        self._building = None
