"""Commands answered by the service that runs beside us."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from snowmelt import errors
from snowmelt.serve.api import POSTS
from snowmelt.serve.commands import Document
from snowmelt.serve.moving import MovingQuestions
from snowmelt.serve.page_client import PageQuestions
from snowmelt.serve.socket_path import reachable


class ServiceClient(PageQuestions, MovingQuestions):
    """Asks a service; raises the errors that the service raised."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def _ask(self, verb: str, **arguments: Any) -> Document:
        given = {name: value for name, value in arguments.items() if value is not None}
        path = f"/api/v1/{verb}"
        try:
            if verb in POSTS:
                answer = self._client.post(path, json=given)
            else:
                answer = self._client.get(path, params=given)
        except httpx.HTTPError as error:
            raise errors.UnreachableError(
                "the service", f"it ended before it answered ({error})"
            ) from None
        if answer.status_code >= 500:
            raise errors.SnowmeltError(
                "the service", "it failed to answer", "Its log says why."
            )
        document: Document = answer.json()
        if "error" in document:
            told = document["error"]
            kind = getattr(errors, told["kind"], errors.SnowmeltError)
            raise kind(told["where"], told["problem"], told["remedy"])
        return document

    def status(self) -> Document:
        return self._ask("status")

    def history(self, pipe: str | None, status: str | None, limit: int) -> Document:
        return self._ask("history", pipe=pipe, status=status, limit=limit)

    def log(
        self, run: str | None, step: str | None, object: str | None, limit: int
    ) -> Document:
        return self._ask("log", run=run, step=step, object=object, limit=limit)

    def rejects(self, pipe: str | None, file: str | None, limit: int) -> Document:
        return self._ask("rejects", pipe=pipe, file=file, limit=limit)

    def check(self, file: str, pipe: str | None) -> Document:
        return self._ask("check", file=file, pipe=pipe)

    def why(self, target: str) -> Document:
        return self._ask("why", target=target)

    def run(self, on_error: str | None) -> Document:
        return self._ask("run", on_error=on_error)

    def rebuild(self) -> Document:
        return self._ask("rebuild")

    def audit(self) -> Document:
        return self._ask("audit")

    def refresh(
        self, pipe: str | None, prefix: str | None, modified_after: str | None
    ) -> Document:
        return self._ask(
            "refresh", pipe=pipe, prefix=prefix, modified_after=modified_after
        )

    def reload(self, files: Sequence[str]) -> Document:
        return self._ask("reload", files=list(files))

    def reject_groups(self, pipe: str | None, file: str | None) -> Document:
        return self._ask("reject_groups", pipe=pipe, file=file)

    def export_rejects(
        self, path: str, file_format: str, pipe: str | None, file: str | None
    ) -> Document:
        return self._ask(
            "export_rejects", path=path, file_format=file_format, pipe=pipe, file=file
        )

    def quarantine(
        self, model: str | None, rule: str | None, limit: int, lines: bool | None = None
    ) -> Document:
        return self._ask("quarantine", model=model, rule=rule, limit=limit, lines=lines)

    def quarantine_groups(self, model: str | None, rule: str | None) -> Document:
        return self._ask("quarantine_groups", model=model, rule=rule)

    def export_quarantine(
        self, path: str, file_format: str, model: str | None, rule: str | None
    ) -> Document:
        return self._ask(
            "export_quarantine",
            path=path,
            file_format=file_format,
            model=model,
            rule=rule,
        )

    def streams(self) -> Document:
        return self._ask("streams")

    def advise(self) -> Document:
        return self._ask("advise")

    def trace(
        self,
        model: str,
        keys: Sequence[str],
        limit: int,
        all_lines: bool = False,
    ) -> Document:
        return self._ask(
            "trace", model=model, keys=list(keys), limit=limit, all_lines=all_lines
        )

    def trace_columns(self, model: str, columns: Sequence[str]) -> Document:
        return self._ask("trace_columns", model=model, columns=list(columns))

    def became(
        self, file: str | None, load: int | None, row: int | None, limit: int
    ) -> Document:
        return self._ask("became", file=file, load=load, row=row, limit=limit)

    def tasks(self) -> Document:
        return self._ask("tasks")

    def task_history(self, task: str | None, state: str | None, limit: int) -> Document:
        return self._ask("task_history", task=task, state=state, limit=limit)

    def task_run(
        self,
        name: str | None = None,
        config: dict[str, Any] | None = None,
        wait: bool | None = None,
    ) -> Document:
        return self._ask("task_run", name=name, config=config, wait=wait)

    def task_retry(
        self, target: str | None = None, wait: bool | None = None
    ) -> Document:
        return self._ask("task_retry", target=target, wait=wait)

    def task_cancel(self, target: str | None, reason: str | None) -> Document:
        return self._ask("task_cancel", target=target, reason=reason)

    def task_suspend(self, name: str, reason: str | None) -> Document:
        return self._ask("task_suspend", name=name, reason=reason)

    def task_resume(self, name: str) -> Document:
        return self._ask("task_resume", name=name)

    def replay(self, edit: str | None = None, **filters: str | None) -> Document:
        return self._ask("replay", edit=edit, **filters)

    def alerts(self) -> Document:
        return self._ask("alerts")

    def alert_history(self, limit: int) -> Document:
        return self._ask("alert_history", limit=limit)

    def test_alerts(self, sink: str | None) -> Document:
        return self._ask("test_alerts", sink=sink)

    def mute_alerts(self, target: str, duration: str) -> Document:
        return self._ask("mute_alerts", target=target, duration=duration)

    def pause(self, pipe: str, reason: str | None) -> Document:
        return self._ask("pause", pipe=pipe, reason=reason)

    def resume(self, pipe: str) -> Document:
        return self._ask("resume", pipe=pipe)

    def hold(self, file: str, reason: str | None) -> Document:
        return self._ask("hold", file=file, reason=reason)

    def release(self, file: str) -> Document:
        return self._ask("release", file=file)

    def drift(self, pipe: str | None) -> Document:
        return self._ask("drift", pipe=pipe)

    def approve(self, file: str | None, pipe: str | None) -> Document:
        return self._ask("approve", file=file, pipe=pipe)

    def reject(self, file: str) -> Document:
        return self._ask("reject", file=file)

    def backup(self, folder: str) -> Document:
        return self._ask("backup", folder=folder)

    def vacuum(self, dry_run: bool = False) -> Document:
        return self._ask("vacuum", dry_run=dry_run)

    def query(self, sql: str, limit: int | None) -> Document:
        return self._ask("query", sql=sql, limit=limit)

    def publications(self) -> Document:
        return self._ask("publications")

    def publish(
        self, name: str | None, to: dict[str, Any] | None, whole: bool = False
    ) -> Document:
        return self._ask("publish", name=name, to=to, whole=whole)

    def dashboard(self, name: str, filters: str | None = None) -> Document:
        return self._ask("dashboard", name=name, filters=filters)

    def validate(self) -> Document:
        return self._ask("validate")


@contextmanager
def connect_service(socket: Path) -> Iterator[ServiceClient | None]:
    """Yield a client of the service behind a socket; None when none answers."""
    if not socket.exists():
        yield None
        return
    with reachable(socket) as path:
        transport = httpx.HTTPTransport(uds=path)
        with httpx.Client(
            transport=transport, base_url="http://snowmelt", timeout=None
        ) as client:
            try:
                client.get("/api/v1/nothing", timeout=5)
            except httpx.HTTPError:
                yield None
                return
            yield ServiceClient(client)
