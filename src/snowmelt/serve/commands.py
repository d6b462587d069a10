"""What can be asked of a project, whoever answers.

A running service answers over its socket; without one the command opens the
warehouse and answers itself. Every answer is a document: what `--json` prints.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from snowmelt.serve.page_commands import Document as Document
from snowmelt.serve.page_commands import PageCommands


class Commands(PageCommands, Protocol):
    """The verbs that need the warehouse."""

    def status(self) -> Document:
        """Pipes, pending, held and unmatched files, the last run."""
        ...

    def history(self, pipe: str | None, status: str | None, limit: int) -> Document:
        """Load records, newest first."""
        ...

    def log(
        self, run: str | None, step: str | None, object: str | None, limit: int
    ) -> Document:
        """Steps of the pipeline, newest first: of one run, of one kind, of one file."""
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

    def audit(self) -> Document:
        """Rebuild everything, compare it with what is published, and roll back."""
        ...

    def refresh(
        self, pipe: str | None, prefix: str | None, modified_after: str | None
    ) -> Document:
        """List the stage now, load what is new of what was asked for, publish."""
        ...

    def reload(self, files: Sequence[str]) -> Document:
        """Load files again although they are loaded; they supersede themselves."""
        ...

    def reject_groups(self, pipe: str | None, file: str | None) -> Document:
        """Rejects counted by pipe, category, column and reason."""
        ...

    def export_rejects(
        self, path: str, file_format: str, pipe: str | None, file: str | None
    ) -> Document:
        """Write open rejects to one file that can be corrected and given back."""
        ...

    def quarantine(self, model: str | None, rule: str | None, limit: int) -> Document:
        """Rows that silver refused: open ones first, then those replayed."""
        ...

    def quarantine_groups(self, model: str | None, rule: str | None) -> Document:
        """Open rows of quarantine counted by model and rule."""
        ...

    def export_quarantine(
        self, path: str, file_format: str, model: str | None, rule: str | None
    ) -> Document:
        """Write open rows of quarantine to one file, as `export_rejects` does."""
        ...

    def streams(self) -> Document:
        """How far each model has read what it streams, and what waits for it."""
        ...

    def replay(self, edit: str | None = None, **filters: str | None) -> Document:
        """Try open rejects again under today's contracts, once, and publish.

        `edit`: an exported file whose records were corrected. `filters`: pipe, file,
        reason, category, since, until.
        """
        ...

    def pause(self, pipe: str, reason: str | None) -> Document:
        """Let a pipe's files wait until it is resumed."""
        ...

    def resume(self, pipe: str) -> Document:
        """Let a paused pipe go on."""
        ...

    def hold(self, file: str, reason: str | None) -> Document:
        """Let this version of a file wait for a decision."""
        ...

    def release(self, file: str) -> Document:
        """Let a held file go on."""
        ...

    def drift(self, pipe: str | None) -> Document:
        """Files held for their columns, and how contracts evolved."""
        ...

    def approve(self, file: str | None, pipe: str | None) -> Document:
        """Have the contract fit held files, and load them at once."""
        ...

    def reject(self, file: str) -> Document:
        """Let the load of a file that is held for its columns fail."""
        ...

    def backup(self, folder: str) -> Document:
        """Copy the warehouse, settings and pipes into a new folder."""
        ...

    def query(self, sql: str, limit: int | None) -> Document:
        """Answer one query from one consistent snapshot."""
        ...

    def dashboard(self, name: str) -> Document:
        """Answer every card of a dashboard from one consistent snapshot."""
        ...

    def validate(self) -> Document:
        """Have dbt read the whole project."""
        ...
