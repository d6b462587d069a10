"""What lineage, catalog and quality ask: the questions, and who asks them elsewhere."""

from __future__ import annotations

from typing import Any, Protocol

Document = dict[str, Any]
UNDERSTANDING_GETS: dict[str, dict[str, type]] = {
    "lineage": {"select": str, "fold": str},
    "catalog": {},
    "table": {"name": str},
    "profile": {"name": str},
    "quality": {"model": str, "status": str},
    "quality_test": {"test": str},
    "search": {"text": str},
}
UNDERSTANDING_REQUIRED = {
    "table": ("name",),
    "profile": ("name",),
    "quality_test": ("test",),
}


class UnderstandingCommands(Protocol):
    """A part of `PageCommands`."""

    def lineage(self, select: str | None, fold: str | None) -> Document:
        """What a selector of dbt's means, from files to dashboards, layers folded."""
        ...

    def catalog(self) -> Document:
        """Every table that files or models make."""
        ...

    def table(self, name: str) -> Document:
        """One table: its columns, tests, a sample, its history."""
        ...

    def profile(self, name: str) -> Document:
        """What values the columns of a table have; of many rows in a sample."""
        ...

    def quality(self, model: str | None, status: str | None) -> Document:
        """Every check and since when it fails, accounts of rows, audits."""
        ...

    def quality_test(self, test: str) -> Document:
        """One check: its failing rows and how it ended in past runs."""
        ...

    def search(self, text: str | None) -> Document:
        """What has a text in its name: dashboards, tables, columns, pipes, tasks."""
        ...


class UnderstandingQuestions:
    """A part of `ServiceClient`."""

    def _ask(self, verb: str, **arguments: Any) -> Document:
        raise NotImplementedError

    def lineage(self, select: str | None, fold: str | None) -> Document:
        return self._ask("lineage", select=select, fold=fold)

    def catalog(self) -> Document:
        return self._ask("catalog")

    def table(self, name: str) -> Document:
        return self._ask("table", name=name)

    def profile(self, name: str) -> Document:
        return self._ask("profile", name=name)

    def quality(self, model: str | None, status: str | None) -> Document:
        return self._ask("quality", model=model, status=status)

    def quality_test(self, test: str) -> Document:
        return self._ask("quality_test", test=test)

    def search(self, text: str | None) -> Document:
        return self._ask("search", text=text)
