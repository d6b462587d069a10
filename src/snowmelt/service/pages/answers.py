"""The pages' questions, answered by the process that owns the warehouse."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from snowmelt.serve.commands import Document
from snowmelt.service.boards.sharing import Sharing
from snowmelt.service.connecting import connections_document
from snowmelt.service.dashboarding import Look, dashboard_document
from snowmelt.service.pages.board_health import beside_board
from snowmelt.service.pages.dashboards import dashboards_document
from snowmelt.service.pages.files import file_document, files_document
from snowmelt.service.pages.health import health_document
from snowmelt.service.pages.pipes import pipes_document
from snowmelt.service.pages.rejects import samples_document
from snowmelt.service.pages.runs import run_document, runs_document
from snowmelt.service.pages.shell import shell_document
from snowmelt.service.pages.tables import GoldTables
from snowmelt.service.pages.tending import TendingAnswers
from snowmelt.service.pages.understanding import UnderstandingAnswers
from snowmelt.service.questions import find_pipe
from snowmelt.service.targets.no_cost import DAYS, no_cost_document

if TYPE_CHECKING:
    from snowmelt.service.loop import Loop


class PageAnswers(TendingAnswers, UnderstandingAnswers):
    """A part of `OwnCommands`: answers from a loop."""

    _loop: Loop

    def _look(self) -> None:
        """See what is pending now, without loading anything."""

    def health(self) -> Document:
        self._look()
        return health_document(self._loop)

    def shell(self) -> Document:
        with self._loop.parts.warehouse.snapshot() as session:
            return shell_document(self._loop, session)

    def pipes(self) -> Document:
        self._look()
        return pipes_document(self._loop)

    def files(
        self,
        pipe: str | None,
        status: str | None,
        name: str | None,
        before: int | None,
        limit: int,
    ) -> Document:
        self._look()
        if pipe:
            find_pipe(self._loop.parts.project, pipe)
        return files_document(
            self._loop, pipe=pipe, status=status, name=name, before=before, limit=limit
        )

    def file(self, load: int) -> Document:
        self._loop.parts.pipeline_log.write()
        return file_document(self._loop, load)

    def reject_samples(
        self,
        pipe: str | None,
        category: str | None,
        column: str | None,
        reason: str | None,
        limit: int,
    ) -> Document:
        return samples_document(
            self._loop,
            pipe=pipe,
            category=category,
            column=column,
            reason=reason,
            limit=limit,
        )

    def runs(self, before: str | None, limit: int) -> Document:
        return runs_document(self._loop, before, limit)

    def run_detail(self, run: str) -> Document:
        return run_document(self._loop, run)

    def dashboards(self) -> Document:
        return dashboards_document(self._loop)

    def board(self, name: str, filters: str | None) -> Document:
        beside = partial(beside_board, self._loop)
        look = Look(name, filters, beside, is_page=True)
        return dashboard_document(self._loop.parts, look)

    def share(
        self, dashboard: str, days: int, origins: Sequence[str], filters: str | None
    ) -> Document:
        return Sharing(self._loop.parts).share(dashboard, days, origins, filters)

    def shares(self) -> Document:
        return Sharing(self._loop.parts).all()

    def unshare(self, share: str) -> Document:
        return Sharing(self._loop.parts).unshare(share)

    def tables(self) -> Document:
        return GoldTables(self._loop.parts).document()

    def connections(self) -> Document:
        return connections_document(self._loop.parts)

    def cost(self, days: int | None = None) -> Document:
        return no_cost_document(days or DAYS) | {"shell": self.shell()}
