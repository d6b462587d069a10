"""Questions about what has to be tended, answered from a loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snowmelt.serve.commands import Document
from snowmelt.service.pages.alerts import (
    alert_board_document,
    alert_document,
    deliveries_document,
)
from snowmelt.service.pages.drift import drift_board_document
from snowmelt.service.pages.tasks import (
    board_document,
    run_detail_document,
    task_detail_document,
)

if TYPE_CHECKING:
    from snowmelt.service.diagnosing import Diagnosing
    from snowmelt.service.loop import Loop


class TendingAnswers:
    """A part of `PageAnswers`."""

    _loop: Loop
    _serving: bool
    _diagnosing: Diagnosing

    def _look(self) -> None:
        """See what is pending now, without loading anything."""

    def task_board(
        self, task: str | None, state: str | None, before: str | None, limit: int
    ) -> Document:
        return board_document(
            self._loop,
            task=task,
            state=state,
            before=before,
            limit=limit,
            serving=self._serving,
        )

    def graph_run(self, group: str) -> Document:
        return run_detail_document(self._loop, group)

    def task_detail(
        self, task: str, state: str | None, before: str | None, limit: int
    ) -> Document:
        return task_detail_document(
            self._loop,
            task,
            state=state,
            before=before,
            limit=limit,
            serving=self._serving,
        )

    def alert_board(
        self, rule: str | None, state: str | None, before: str | None, limit: int
    ) -> Document:
        return alert_board_document(
            self._loop, rule=rule, state=state, before=before, limit=limit
        )

    def alert(self, alert: str) -> Document:
        return alert_document(self._loop, alert)

    def deliveries(
        self, sink: str, state: str | None, before: int | None, limit: int
    ) -> Document:
        return deliveries_document(
            self._loop, sink, state=state, before=before, limit=limit
        )

    def drift_board(self, pipe: str | None, limit: int) -> Document:
        self._look()
        return drift_board_document(self._loop, pipe, limit)

    def doctor(self, fresh: bool | None = None) -> Document:
        return self._diagnosing.document(fresh=bool(fresh))
