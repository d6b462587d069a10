"""Doctor's document, made by whoever owns the warehouse, and kept for a while.

Some checks read files of the project or ask a bucket: so a page that is looked at
does not check again what was checked a moment ago, and a person can.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta

from snowmelt.errors import SnowmeltError
from snowmelt.pipe.external import kept_files, require_unchanged
from snowmelt.serve.commands import Document
from snowmelt.service.alert_findings import alert_findings
from snowmelt.service.alert_verbs import alerts_summary
from snowmelt.service.checks import project_checks
from snowmelt.service.documents import SCHEMA_VERSION, plain
from snowmelt.service.environment import environment_checks, versions
from snowmelt.service.finding import Finding, Level, finding
from snowmelt.service.lagging import longest_goal
from snowmelt.service.loop import Loop
from snowmelt.service.publishing.verbs import publish_findings
from snowmelt.service.status import limits_document, noticed_of, problems_of
from snowmelt.service.streaming import stuck_streams
from snowmelt.warehouse.port import Session

KEPT = timedelta(minutes=5)
_TOLD_MAX = 3


class Diagnosing:
    """Checks a project whose warehouse is open.

    `checked`: what was found beside the warehouse already.
    """

    def __init__(
        self,
        loop: Loop,
        *,
        serving: bool,
        checked: Sequence[Finding] | None = None,
    ) -> None:
        self._checked = checked
        self._loop = loop
        self._parts = loop.parts
        self._serving = serving
        self._since = loop.parts.clock.now()
        self._lock = threading.Lock()
        self._known: Document | None = None
        self._known_at = 0.0

    def document(self, *, fresh: bool) -> Document:
        """Return the findings: made now, or no longer ago than `KEPT`."""
        clock = self._parts.clock
        with self._lock:
            age = clock.monotonic() - self._known_at
            if fresh or self._known is None or age > KEPT.total_seconds():
                self._known = self._made()
                self._known_at = clock.monotonic()
            return self._known

    def _made(self) -> Document:
        findings = [
            *environment_checks(),
            *(self._checked or project_checks(self._parts.project)),
            *self._of_warehouse(),
            *self._of_loop(),
        ]
        path = self._parts.project.warehouse_path
        service = {
            "running": self._serving,
            "pid": os.getpid(),
            "since": plain(self._since) if self._serving else None,
            "pages": self._parts.pages or None,
            "socket": str(self._parts.project.socket) if self._serving else None,
        }
        warehouse = {
            "path": str(path),
            "bytes": path.stat().st_size if path.exists() else None,
            "owner_pid": os.getpid(),
        }
        made = diagnosis_document(findings, self._parts.clock.now())
        return {
            **made,
            "service": service,
            "warehouse": warehouse,
            "limits": limits_document(self._loop),
        }

    def _of_warehouse(self) -> list[Finding]:
        """Check what the warehouse has on record."""
        parts = self._parts
        settings = parts.project.settings
        wait_max = max(settings.publish.wait_max, longest_goal(self._loop))
        with parts.warehouse.snapshot() as session:
            found = [self._warehouse(session)]
            stuck = stuck_streams(session, parts.clock.now(), wait_max)
            alerts = alerts_summary(session)
        level = Level.WARN if stuck else Level.PASS
        told = _some(stuck) or "every one moves"
        found.append(finding("streams", level, told, "See: snowmelt streams"))
        found += self._tasks()
        return [
            *found,
            *alert_findings(settings.alerts, alerts),
            *publish_findings(parts.project),
        ]

    def _warehouse(self, session: Session) -> Finding:
        try:
            require_unchanged(kept_files(session), self._parts.project.external)
        except SnowmeltError as error:
            return finding("warehouse", False, error.problem, error.remedy)
        loads = session.value("select count(*) from snowmelt.load_history")
        if self._serving:
            told = f"owned by the service, pid {os.getpid()}; {loads:,} loads on record"
            return finding("warehouse", True, told)
        return finding("warehouse", True, f"opens; {loads:,} loads on record")

    def _tasks(self) -> list[Finding]:
        """Find out whether a task was suspended because it failed too often."""
        tasks = self._loop.tasks.tasks
        if tasks is None:
            return []
        failing = [
            name
            for name, each in tasks.standings.items()
            if each.suspended and each.by == "failures"
        ]
        if not failing:
            return [finding("tasks", True, f"{len(tasks.graph.tasks)} tasks")]
        return [
            finding(
                "tasks",
                False,
                f"{', '.join(failing)}: suspended, because it failed too often",
                f"See snowmelt tasks history, then: snowmelt tasks resume {failing[0]}",
            )
        ]

    def _of_loop(self) -> list[Finding]:
        """Say what a service has trouble with; without one there is none to tell."""
        if not self._serving:
            return [finding("service", True, "none runs for this project")]
        problems = problems_of(self._loop)
        found = [
            finding(
                "service",
                Level.FAIL if self._loop.stage_problem else bool(not problems),
                _some(problems) or f"runs, pid {os.getpid()}",
                "See: snowmelt status",
            )
        ]
        noticed = noticed_of(self._parts)
        level = Level.WARN if noticed.changes else Level.PASS
        told = _some(noticed.told()) or "settings and pipes are as it read them"
        remedy = "Check them: snowmelt validate. A restart reads them."
        found.append(
            finding("files", Level.FAIL if noticed.problem else level, told, remedy)
        )
        log = self._parts.pipeline_log
        told = log.problem or (f"{log.lost:,} rows lost" if log.lost else "written")
        level = Level.WARN if log.problem or log.lost else Level.PASS
        found.append(finding("log", level, told, "See: snowmelt status"))
        pages = self._parts.pages
        is_open = pages.startswith("http")
        return [
            *found,
            finding(
                "pages",
                Level.PASS if is_open or not pages else Level.WARN,
                pages or "not asked for",
                "Mend what it says, and restart the service.",
            ),
        ]


def _some(told: Sequence[str]) -> str:
    more = len(told) - _TOLD_MAX
    return "; ".join(told[:_TOLD_MAX]) + (f"; {more} more" if more > 0 else "")


def diagnosis_document(findings: Sequence[Finding], at: datetime) -> Document:
    """Return findings as a document, without what only the warehouse's owner knows."""
    return {
        "schema_version": SCHEMA_VERSION,
        "checked_at": plain(at),
        "findings": list(findings),
        "versions": versions(),
        "service": None,
        "warehouse": None,
        "limits": {},
    }
