"""Questions about what has to be tended, asked of the service that runs beside us."""

from __future__ import annotations

from typing import Any

from snowmelt.serve.tending_commands import Document


class TendingQuestions:
    """A part of `ServiceClient`."""

    def _ask(self, verb: str, **arguments: Any) -> Document:
        raise NotImplementedError

    def task_board(
        self, task: str | None, state: str | None, before: str | None, limit: int
    ) -> Document:
        return self._ask(
            "task_board", task=task, state=state, before=before, limit=limit
        )

    def graph_run(self, group: str) -> Document:
        return self._ask("graph_run", group=group)

    def task_detail(
        self, task: str, state: str | None, before: str | None, limit: int
    ) -> Document:
        return self._ask(
            "task_detail", task=task, state=state, before=before, limit=limit
        )

    def alert_board(
        self, rule: str | None, state: str | None, before: str | None, limit: int
    ) -> Document:
        return self._ask(
            "alert_board", rule=rule, state=state, before=before, limit=limit
        )

    def alert(self, alert: str) -> Document:
        return self._ask("alert", alert=alert)

    def deliveries(
        self, sink: str, state: str | None, before: int | None, limit: int
    ) -> Document:
        return self._ask(
            "deliveries", sink=sink, state=state, before=before, limit=limit
        )

    def drift_board(self, pipe: str | None, limit: int) -> Document:
        return self._ask("drift_board", pipe=pipe, limit=limit)

    def doctor(self, fresh: bool | None = None) -> Document:
        return self._ask("doctor", fresh=fresh)
