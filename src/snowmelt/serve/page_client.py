"""The pages' questions, asked of the service that runs beside us."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from snowmelt.serve.commands import Document
from snowmelt.serve.tending_client import TendingQuestions
from snowmelt.serve.understanding import UnderstandingQuestions


class PageQuestions(TendingQuestions, UnderstandingQuestions):
    """A part of `ServiceClient`."""

    def _ask(self, verb: str, **arguments: Any) -> Document:
        raise NotImplementedError

    def health(self) -> Document:
        return self._ask("health")

    def shell(self) -> Document:
        return self._ask("shell")

    def pipes(self) -> Document:
        return self._ask("pipes")

    def files(
        self,
        pipe: str | None,
        status: str | None,
        name: str | None,
        before: int | None,
        limit: int,
    ) -> Document:
        return self._ask(
            "files", pipe=pipe, status=status, name=name, before=before, limit=limit
        )

    def file(self, load: int) -> Document:
        return self._ask("file", load=load)

    def reject_samples(
        self,
        pipe: str | None,
        category: str | None,
        column: str | None,
        reason: str | None,
        limit: int,
    ) -> Document:
        return self._ask(
            "reject_samples",
            pipe=pipe,
            category=category,
            column=column,
            reason=reason,
            limit=limit,
        )

    def runs(self, before: str | None, limit: int) -> Document:
        return self._ask("runs", before=before, limit=limit)

    def run_detail(self, run: str) -> Document:
        return self._ask("run_detail", run=run)

    def dashboards(self) -> Document:
        return self._ask("dashboards")

    def board(self, name: str, filters: str | None) -> Document:
        return self._ask("board", name=name, filters=filters)

    def share(
        self, dashboard: str, days: int, origins: Sequence[str], filters: str | None
    ) -> Document:
        return self._ask(
            "share",
            dashboard=dashboard,
            days=days,
            origins=list(origins),
            filters=filters,
        )

    def shares(self) -> Document:
        return self._ask("shares")

    def unshare(self, share: str) -> Document:
        return self._ask("unshare", share=share)

    def tables(self) -> Document:
        return self._ask("tables")

    def connections(self) -> Document:
        return self._ask("connections")

    def start_link(self) -> Document:
        """Ask for a link that opens the pages once; on the socket alone."""
        return self._ask("start_link")

    def cost(self, days: int | None = None) -> Document:
        return self._ask("cost", days=days)
