"""What can be asked of a project, whoever answers.

A running service answers over its socket; without one the command opens the
warehouse and answers itself. Every answer is a document: what `--json` prints.
"""

from __future__ import annotations

from typing import Any, Protocol

Document = dict[str, Any]


class Commands(Protocol):
    """The verbs that need the warehouse."""

    def status(self) -> Document:
        """Pipes, pending and unmatched files, the last run."""
        ...

    def history(self, pipe: str | None, status: str | None, limit: int) -> Document:
        """Load records, newest first."""
        ...

    def rejects(self, pipe: str | None, file: str | None, limit: int) -> Document:
        """Open rejects: records refused at copy and not replayed since."""
        ...

    def check(self, file: str, pipe: str | None) -> Document:
        """What loading a file would come to; nothing is loaded."""
        ...

    def why(self, target: str) -> Document:
        """Why a file or a model was or was not loaded, built, skipped."""
        ...

    def run(self, on_error: str | None) -> Document:
        """Load what is pending, build, test, publish."""
        ...

    def rebuild(self) -> Document:
        """Build silver and gold anew from bronze, test, publish."""
        ...

    def replay(self, pipe: str | None, file: str | None) -> Document:
        """Try open rejects again under today's contracts."""
        ...

    def query(self, sql: str, limit: int | None) -> Document:
        """Answer one query from one consistent snapshot."""
        ...

    def validate(self) -> Document:
        """Have dbt read the whole project."""
        ...
