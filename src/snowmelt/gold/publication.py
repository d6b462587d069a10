"""Write, audit, publish: a whole run, tests included, is one transaction.

Models, tests, and the record of what was read commit together. When a test fails its
failing rows are read out first, then everything is rolled back: readers keep the
run before, and a second transaction writes the evidence.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from snowmelt.clock import Clock, uuid7
from snowmelt.errors import UnreachableError
from snowmelt.events import Events
from snowmelt.gold.audit import Audit, AuditResult
from snowmelt.gold.publish_config import PublishConfig
from snowmelt.gold.run_history import find_changes
from snowmelt.gold.run_result import RunResult
from snowmelt.gold.staged_run import Means, Order, StagedRun
from snowmelt.transform.build import Builder
from snowmelt.transform.graph import Graph
from snowmelt.warehouse.port import Warehouse


class Publication:
    """Publishes runs of one project, one at a time."""

    def __init__(
        self,
        warehouse: Warehouse,
        builder: Builder,
        audit: Audit,
        config: PublishConfig,
        clock: Clock,
        events: Events,
    ) -> None:
        self.warehouse = warehouse
        self._builder = builder
        self._audit = audit
        self._means = Means(builder, config, clock, events)
        self._one_at_a_time = threading.Lock()
        self._closed = False

    def publish(self, digest: str, *, rebuild: bool = False) -> RunResult | None:
        """Build, test and publish what changed; None when nothing did.

        Waits for a run that is under way: a run that began before it ended would
        build on what that run is about to replace.
        """
        run = self._begin(Order(digest, rebuild=rebuild))
        return run.commit() if run else None

    def stage(
        self, digest: str, reason: str, *, rebuild: bool = False
    ) -> StagedRun | None:
        """Begin a run that its caller builds stage by stage; None when nothing is due.

        Waits as `publish` does, and lets no other run begin until it is committed or
        abandoned: that is its caller's to do, in time.
        """
        return self._begin(Order(digest, reason, rebuild=rebuild))

    def _begin(self, order: Order) -> StagedRun | None:
        with ExitStack() as held:
            held.enter_context(self.exclusively())
            session = held.enter_context(self.warehouse.session())
            changes, _ = find_changes(session, order.digest, rebuild=order.rebuild)
            if not changes.any:
                return None
            run = StagedRun(self._means, session, order, changes.reason)
            run.held.push(held.pop_all())
            return run

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Let no run begin or be under way while the block lasts."""
        with self._one_at_a_time:
            if self._closed:
                raise UnreachableError("the service", "it is stopping")
            yield

    def audit(self, digest: str, reason: str) -> AuditResult:
        """Rebuild everything, compare it with what is published, and roll back."""
        with self.exclusively():
            return self._audit.run(uuid7(self._means.clock.now()), digest, reason)

    def lacks_recordings(self, digest: str) -> bool:
        """Would a run ask dbt for want of recordings alone?"""
        return self._builder.lacks_recordings(digest)

    def known_graph(self, digest: str) -> Graph | None:
        """Return the graph of this state of the project, if dbt has read it."""
        return self._builder.known_graph(digest)

    def selected(self, digest: str, selection: Sequence[str]) -> frozenset[str]:
        """Return the ids that a selection in dbt's syntax names.

        Raises ConfigError for one that names nothing, or is none.
        """
        with self.exclusively(), self.warehouse.session() as session:
            return self._builder.selected(session, digest, selection)

    def rehearse(self, digest: str) -> bool:
        """Record what dbt sends, in a transaction that is rolled back.

        Only where what is published was built of this state of the project. Returns
        whether anything was recorded.
        """
        with (
            self.exclusively(),
            self.warehouse.session() as session,
            session.rolled_back(),
        ):
            changes, _ = find_changes(session, digest)
            return not changes.any and self._builder.rehearse(session, digest)

    def close(self) -> None:
        """Let a run that is under way end, and begin no other."""
        with self._one_at_a_time:
            self._closed = True
