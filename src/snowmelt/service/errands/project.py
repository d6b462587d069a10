"""The project as clients of dbt Cloud see it: its name, its pipes, its artifacts."""

from __future__ import annotations

from pathlib import Path

from snowmelt.gold.run_history import published_run
from snowmelt.serve.commands import Document
from snowmelt.service.loop import Loop
from snowmelt.transform.kept_artifacts import artifacts_of


class DbtFacts:
    """Implements `serve.dbt_cloud.routes.DbtProject`."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._parts = loop.parts

    def about(self) -> Document:
        """Return the project's name, its pipes, and if it has tasks."""
        return {
            "name": self._parts.project.settings.name,
            "pipes": [pipe.name for pipe in self._parts.project.pipes],
            "has_tasks": self._loop.tasks.tasks is not None,
        }

    def artifacts(self, run_id: str | None) -> Path | None:
        """Return the folder of a run's artifacts; without one, of the published run.

        A run that found nothing to build left gold as the published run made it.
        """
        if run_id is None:
            with self._parts.warehouse.snapshot() as session:
                run_id = published_run(session)
        found = artifacts_of(self._parts.project.root, run_id) if run_id else None
        return Path(found) if found else None
