"""What an idle service does for the runs to come: rehearsals, the audit, the vacuum."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from cronsim import CronSim

from snowmelt.gold.audit import AuditConfig, AuditResult, AuditState
from snowmelt.gold.publication import Publication
from snowmelt.project.project import Project
from snowmelt.service.vacuuming import Vacuuming
from snowmelt.transform.project_digest import project_digest

log = logging.getLogger("snowmelt")
Work = Callable[[], None]


class Upkeep:
    """Chooses what a service does in its run lane while nothing else is due.

    A rehearsal lets dbt say its statements in a transaction that is rolled back, so
    that the next runs need not ask it. It is tried once for each state of the project.
    """

    def __init__(
        self,
        project: Project,
        publication: Publication,
        now: datetime,
        tell: Callable[[str], None],
        vacuuming: Vacuuming | None = None,
    ) -> None:
        self._project = project
        self._publication = publication
        self._tell = tell
        self._vacuuming = vacuuming
        self._rehearsed = ""
        self._audit_at = _next(project.settings.audit, now)

    def choose(self, now: datetime, digest: str) -> Work | None:
        """Return what is due in this state of the project; None when nothing is."""
        if self._audit_at is not None and now >= self._audit_at:
            self._audit_at = _next(self._project.settings.audit, now)
            return self._audit
        if digest != self._rehearsed and self._publication.lacks_recordings(digest):
            self._rehearsed = digest
            return lambda: self._rehearse(digest)
        return self._vacuuming.choose(now) if self._vacuuming else None

    def overdue(self, now: datetime) -> Work | None:
        """Return what has waited too long for a service that is never idle."""
        return self._vacuuming.overdue(now) if self._vacuuming else None

    def _rehearse(self, digest: str) -> None:
        try:
            self._publication.rehearse(digest)
        except Exception:  # a rehearsal spares time; without it runs are slower
            log.warning("dbt could not be rehearsed", exc_info=True)

    def _audit(self) -> None:
        digest = project_digest(self._project.root)
        result = self._publication.audit(digest, "schedule")
        if problem := audit_problem(result):
            self._tell(problem)


def audit_problem(result: AuditResult) -> str | None:
    """Say what an audit found, if it is worth a person's while."""
    if result.state is AuditState.SUCCEEDED:
        return None
    if result.differing:
        return (
            f"the audit found differences: {result.error}. Publish what dbt makes "
            "from nothing with: snowmelt rebuild"
        )
    return f"the audit did not end well: {result.error}"


def _next(config: AuditConfig, now: datetime) -> datetime | None:
    if config.schedule is None:
        return None
    due: datetime = next(CronSim(config.schedule, now))
    return due
