"""The verbs, answered by the process that owns the warehouse."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from snowmelt.errors import UsageError
from snowmelt.gold.run_history import published_run
from snowmelt.serve.commands import Document
from snowmelt.service.advising import advise_document
from snowmelt.service.alert_verbs import AlertVerbs
from snowmelt.service.alerting import alerted_after
from snowmelt.service.became import became_document
from snowmelt.service.checking import check_file
from snowmelt.service.dashboarding import Look, dashboard_document
from snowmelt.service.diagnosing import Diagnosing
from snowmelt.service.documents import (
    SCHEMA_VERSION,
    audit_document,
    history_document,
    log_document,
    plain,
    run_document,
)
from snowmelt.service.drifting import approve, drift_document, reject
from snowmelt.service.explaining import explain
from snowmelt.service.loading import Loading
from snowmelt.service.loop import Loop
from snowmelt.service.moving import MovingAnswers
from snowmelt.service.operating import Operating
from snowmelt.service.pages.answers import PageAnswers
from snowmelt.service.pages.board_health import beside_board
from snowmelt.service.pipe_status import asks_pipe_status
from snowmelt.service.publishing.verbs import publications_document, publish_document
from snowmelt.service.quarantining import Quarantining
from snowmelt.service.questions import find_pipe
from snowmelt.service.replaying import Replaying
from snowmelt.service.status import note_statuses, status_document
from snowmelt.service.streaming import streams_document
from snowmelt.service.tasks.verbs import TaskVerbs
from snowmelt.service.tracing import Tracing
from snowmelt.service.vacuuming import vacuum_document
from snowmelt.service.validating import validated
from snowmelt.transform.kept_artifacts import artifacts_of
from snowmelt.transform.project_digest import project_digest
from snowmelt.warehouse.duckdb.backup import backup


class OwnCommands(PageAnswers, MovingAnswers):
    """Answers from a loop. `serving`: another thread turns it; else each verb does."""

    def __init__(self, loop: Loop, *, serving: bool) -> None:
        self._loop = loop
        self._parts = loop.parts
        self._serving = serving
        self._loading = Loading(loop, serving=serving)
        self._operating = Operating(loop)
        self._replaying = Replaying(loop)
        self._task_verbs = TaskVerbs(loop, serving=serving)
        self._diagnosing = Diagnosing(loop, serving=serving)

    def _look(self) -> None:
        """See what is pending now, without loading anything."""
        if not self._serving:
            self._loop.look()

    # What is there?

    def status(self) -> Document:
        self._look()
        return status_document(self._loop, serving=self._serving)

    def history(self, pipe: str | None, status: str | None, limit: int) -> Document:
        if pipe:
            find_pipe(self._parts.project, pipe)
        with self._parts.warehouse.snapshot() as session:
            return history_document(session, pipe, status, limit)

    def log(
        self, run: str | None, step: str | None, object: str | None, limit: int
    ) -> Document:
        self._parts.pipeline_log.write()
        with self._parts.warehouse.snapshot() as session:
            document = log_document(session, run, step, object, limit)
        if run is not None:
            document["artifacts"] = artifacts_of(self._parts.project.root, run)
        return document

    def check(self, file: str, pipe: str | None) -> Document:
        chosen = find_pipe(self._parts.project, pipe) if pipe else None
        self._look()
        return check_file(self._parts, Path(file), chosen)

    def why(self, target: str) -> Document:
        self._look()
        with self._loop.lock:
            return explain(self._parts, target)

    def query(self, sql: str, limit: int | None) -> Document:
        self._parts.warehouse.require_query(sql)
        if asks_pipe_status(sql):
            self._look()
            note_statuses(self._loop)
        with self._parts.warehouse.snapshot() as session:
            try:
                table = session.table(sql, limit=limit)
            except Exception as error:
                raise UsageError("sql", str(error).strip()) from error
            run_id = published_run(session)
        return {
            "columns": table.columns,
            "rows": [plain(row) for row in table.rows],
            "run_id": run_id,
        }

    def dashboard(self, name: str, filters: str | None = None) -> Document:
        beside = partial(beside_board, self._loop)
        return dashboard_document(self._parts, Look(name, filters, beside))

    def validate(self) -> Document:
        return validated(self._parts)

    # Load and build.

    def run(self, on_error: str | None) -> Document:
        if self._serving:
            return self._loading.run(on_error)
        with alerted_after(self._parts):
            return self._loading.run(on_error)

    def refresh(
        self, pipe: str | None, prefix: str | None, modified_after: str | None
    ) -> Document:
        return self._loading.refresh(pipe, prefix, modified_after)

    def reload(self, files: Sequence[str]) -> Document:
        return self._loading.reload(files)

    def rebuild(self) -> Document:
        digest = project_digest(self._parts.project.root)
        result = self._parts.publication.publish(digest, rebuild=True)
        return {"schema_version": SCHEMA_VERSION, "run": run_document(result)}

    def audit(self) -> Document:
        digest = project_digest(self._parts.project.root)
        result = self._parts.publication.audit(digest, "asked for")
        return {"schema_version": SCHEMA_VERSION, "audit": audit_document(result)}

    # Refused records.

    def rejects(self, pipe: str | None, file: str | None, limit: int) -> Document:
        return self._replaying.rejects(pipe, file, limit)

    def reject_groups(self, pipe: str | None, file: str | None) -> Document:
        return self._replaying.reject_groups(pipe, file)

    def export_rejects(
        self, path: str, file_format: str, pipe: str | None, file: str | None
    ) -> Document:
        return self._replaying.export_rejects(path, file_format, pipe, file)

    # Refused rows of silver.

    def quarantine(
        self, model: str | None, rule: str | None, limit: int, lines: bool | None = None
    ) -> Document:
        rows = Quarantining(self._parts).rows
        return rows(model, rule, limit, lines=lines is not False)

    def quarantine_groups(self, model: str | None, rule: str | None) -> Document:
        return Quarantining(self._parts).groups(model, rule)

    def export_quarantine(
        self, path: str, file_format: str, model: str | None, rule: str | None
    ) -> Document:
        return Quarantining(self._parts).export(path, file_format, model, rule)

    def streams(self) -> Document:
        stale_after = self._parts.project.settings.retention.stale_after
        with self._parts.warehouse.snapshot() as session:
            return streams_document(session, stale_after)

    def advise(self) -> Document:
        return advise_document(self._parts)

    # Where figures come from.

    def trace(
        self,
        model: str,
        keys: Sequence[str],
        limit: int,
        all_lines: bool = False,
    ) -> Document:
        return Tracing(self._parts).rows(model, keys, limit, all_lines=all_lines)

    def trace_columns(self, model: str, columns: Sequence[str]) -> Document:
        return Tracing(self._parts).columns(model, columns)

    def became(
        self, file: str | None, load: int | None, row: int | None, limit: int
    ) -> Document:
        return became_document(self._parts, file, load, row, limit)

    def replay(self, edit: str | None = None, **filters: str | None) -> Document:
        return self._replaying.replay(edit, **filters)

    # Who hears of what is wrong.

    def alerts(self) -> Document:
        return AlertVerbs(self._loop, serving=self._serving).standing()

    def alert_history(self, limit: int) -> Document:
        return AlertVerbs(self._loop, serving=self._serving).history(limit)

    def test_alerts(self, sink: str | None) -> Document:
        return AlertVerbs(self._loop, serving=self._serving).test(sink)

    def mute_alerts(self, target: str, duration: str) -> Document:
        return AlertVerbs(self._loop, serving=self._serving).mute(target, duration)

    # Tasks.

    def tasks(self) -> Document:
        return self._task_verbs.tasks()

    def task_history(self, task: str | None, state: str | None, limit: int) -> Document:
        return self._task_verbs.history(task, state, limit)

    def task_run(
        self,
        name: str | None = None,
        config: dict[str, Any] | None = None,
        wait: bool | None = None,
    ) -> Document:
        return self._task_verbs.run(name, config, wait=wait is not False)

    def task_retry(
        self, target: str | None = None, wait: bool | None = None
    ) -> Document:
        return self._task_verbs.retry(target, wait=wait is not False)

    def task_cancel(self, target: str | None, reason: str | None) -> Document:
        return self._task_verbs.cancel(target, reason)

    def task_suspend(self, name: str, reason: str | None) -> Document:
        return self._task_verbs.suspend(name, reason)

    def task_resume(self, name: str) -> Document:
        return self._task_verbs.resume(name)

    # Stop and go.

    def pause(self, pipe: str, reason: str | None) -> Document:
        return self._operating.pause(pipe, reason)

    def resume(self, pipe: str) -> Document:
        return self._operating.resume(pipe)

    def hold(self, file: str, reason: str | None) -> Document:
        self._look()
        return self._operating.hold(file, reason)

    def release(self, file: str) -> Document:
        return self._operating.release(file)

    # Files whose columns differ.

    def drift(self, pipe: str | None) -> Document:
        self._look()
        return drift_document(self._parts, pipe)

    def approve(self, file: str | None, pipe: str | None) -> Document:
        return approve(self._loop, file, pipe)

    def reject(self, file: str) -> Document:
        return reject(self._loop, file)

    # Keep.

    def backup(self, folder: str) -> Document:
        parts = self._parts
        made = backup(parts.warehouse, parts.project.root, Path(folder), parts.clock)
        return {"schema_version": SCHEMA_VERSION, **made}

    def vacuum(self, dry_run: bool = False) -> Document:
        return vacuum_document(self._parts, dry_run=dry_run)

    def publications(self) -> Document:
        return publications_document(self._parts)

    def publish(
        self, name: str | None, to: dict[str, Any] | None, whole: bool = False
    ) -> Document:
        return publish_document(self._parts, name, to, whole=bool(whole))
