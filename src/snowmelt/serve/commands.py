"""What can be asked of a project, whoever answers.

A running service answers over its socket; without one the command opens the
warehouse and answers itself. Every answer is a document: what `--json` prints.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from snowmelt.deploy.migration.local import Local
from snowmelt.serve.page_commands import Document as Document
from snowmelt.serve.page_commands import PageCommands


class Commands(PageCommands, Local, Protocol):
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

    def quarantine(
        self, model: str | None, rule: str | None, limit: int, lines: bool | None = None
    ) -> Document:
        """Rows that silver refused: open ones first, then those replayed.

        `lines`: false reads no file to say in which line of it a row is.
        """
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

    def advise(self) -> Document:
        """What costs runs their time, by their histories, and what to change."""
        ...

    def trace(
        self,
        model: str,
        keys: Sequence[str],
        limit: int,
        all_lines: bool = False,
    ) -> Document:
        """The rows, files and lines that rows of a model are made of."""
        ...

    def trace_columns(self, model: str, columns: Sequence[str]) -> Document:
        """The columns that feed columns of a model, down to those of files."""
        ...

    def became(
        self, file: str | None, load: int | None, row: int | None, limit: int
    ) -> Document:
        """What a file, a load, or one record of it became."""
        ...

    def tasks(self) -> Document:
        """Every task, how it stands, and when the graph runs next."""
        ...

    def task_history(self, task: str | None, state: str | None, limit: int) -> Document:
        """Runs of tasks, newest first."""
        ...

    def task_run(
        self,
        name: str | None = None,
        config: dict[str, Any] | None = None,
        wait: bool | None = None,
    ) -> Document:
        """Run the graph, or one task of it, and wait until it has ended.

        `wait` is False: a service begins it, and goes on with it.
        """
        ...

    def task_retry(
        self, target: str | None = None, wait: bool | None = None
    ) -> Document:
        """Try again what failed of a graph run, and what comes after it."""
        ...

    def task_cancel(self, target: str | None, reason: str | None) -> Document:
        """Have graph runs end that are under way: one by its id, or all of a root."""
        ...

    def task_suspend(self, name: str, reason: str | None) -> Document:
        """Let a task not run until it is resumed."""
        ...

    def task_resume(self, name: str) -> Document:
        """Let a suspended task run again."""
        ...

    def replay(self, edit: str | None = None, **filters: str | None) -> Document:
        """Try open rejects again under today's contracts, once, and publish.

        `edit`: an exported file whose records were corrected. `filters`: pipe, file,
        reason, category, since, until.
        """
        ...

    def alerts(self) -> Document:
        """Alerts that are open, what rules find now, and how sinks do."""
        ...

    def alert_history(self, limit: int) -> Document:
        """Alerts, newest first, and what was sent of each."""
        ...

    def test_alerts(self, sink: str | None) -> Document:
        """Send a message through a sink, or through each; say what happened."""
        ...

    def mute_alerts(self, target: str, duration: str) -> Document:
        """Let nobody hear of a rule's alerts, or of one alert, for a while."""
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

    def vacuum(self, dry_run: bool = False) -> Document:
        """Let go of what was superseded, or say what would go and what holds it."""
        ...

    def publications(self) -> Document:
        """Where gold is published besides the warehouse, and how that stands."""
        ...

    def publish(
        self, name: str | None, to: dict[str, Any] | None, whole: bool = False
    ) -> Document:
        """Publish gold into a place of snowmelt.yml by its name, or into `to`."""
        ...

    def query(self, sql: str, limit: int | None) -> Document:
        """Answer one query from one consistent snapshot."""
        ...

    def dashboard(self, name: str, filters: str | None = None) -> Document:
        """Answer every card of a dashboard from one consistent snapshot.

        `filters`: what is chosen, as the page's address says it.
        """
        ...

    def validate(self) -> Document:
        """Have dbt read the whole project."""
        ...
