"""What the pages ask, beside what commands ask: the same way, the same documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from snowmelt.serve.tending_commands import TendingCommands
from snowmelt.serve.understanding import UnderstandingCommands

Document = dict[str, Any]


class PageCommands(TendingCommands, UnderstandingCommands, Protocol):
    """Questions whose answers fill a page, each from one snapshot."""

    def health(self) -> Document:
        """One verdict, what needs a person, and how everything stands."""
        ...

    def shell(self) -> Document:
        """What is beside every page: counts, and the run that readers see."""
        ...

    def pipes(self) -> Document:
        """What each pipe loaded, what waits for it, and if it is paused."""
        ...

    def files(
        self,
        pipe: str | None,
        status: str | None,
        name: str | None,
        before: int | None,
        limit: int,
    ) -> Document:
        """Load records before a position, newest first, and what is pending."""
        ...

    def file(self, load: int) -> Document:
        """One load: its record, everything that was refused of it, its past."""
        ...

    def reject_samples(
        self,
        pipe: str | None,
        category: str | None,
        column: str | None,
        reason: str | None,
        limit: int,
    ) -> Document:
        """Open rejects of one kind, with their raw text."""
        ...

    def runs(self, before: str | None, limit: int) -> Document:
        """Runs before one, newest first."""
        ...

    def run_detail(self, run: str) -> Document:
        """One run: its nodes with their times, failing rows, how it was built."""
        ...

    def dashboards(self) -> Document:
        """The project's dashboards, and whether their figures are current."""
        ...

    def board(self, name: str, filters: str | None) -> Document:
        """A dashboard as `dashboard` has it, with what is wrong instead of an error."""
        ...

    def share(
        self, dashboard: str, days: int, origins: Sequence[str], filters: str | None
    ) -> Document:
        """Make a link that shows one dashboard to whoever has it, for some days."""
        ...

    def shares(self) -> Document:
        """The links that show a dashboard, and until when."""
        ...

    def unshare(self, share: str) -> Document:
        """Take a link back."""
        ...

    def tables(self) -> Document:
        """The tables of gold, which can be downloaded whole."""
        ...

    def connections(self) -> Document:
        """Where other tools find gold, and what tables it has."""
        ...

    def cost(self, days: int | None = None) -> Document:
        """What a target took of credits in so many days, 7 without a number."""
        ...
