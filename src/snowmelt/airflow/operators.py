"""Asking a service for a run: once, however often Airflow tries, and to its end.

The key of what is asked is written into the task's state store (Airflow 3.3) before it
is asked for. So a worker that dies, before the answer or after it, is followed by one
that is told of the same errand; when the errand has ended the key is forgotten, and a
task that is cleared or tried again asks for another. So does one whose try before was
ended, and its errand with it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.exceptions import AirflowException
from airflow.sdk import BaseOperator, BaseOperatorLink

from snowmelt.airflow.asking import (
    ENDED,
    KEY,
    NOT_THERE,
    TOOK_TOO_LONG,
    Asking,
    as_asked,
    name_of,
    was_given_up,
)
from snowmelt.airflow.hooks import DEFAULT, SnowmeltHook
from snowmelt.airflow.triggers import ErrandTrigger, is_past
from snowmelt.clock import SystemClock
from snowmelt.remote import (
    Document,
    Remote,
    ServiceError,
    ask_errand,
    cancel_errand,
    find_errand,
)

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

LINK = "snowmelt_page"
SINCE_DAG_RUN = "{{ dag_run.start_date.isoformat() if dag_run.start_date else '' }}"
_FIELDS = ("pipe", "prefix", "select", "since", "task", "config")
_LOOKS_BACK = ("run", "refresh")


class SnowmeltRunError(AirflowException):
    """A run failed: the first file, model or test that did, with file and line."""


class SnowmeltRunLink(BaseOperatorLink):
    """Leads to the run's page."""

    name = "Snowmelt run"
    xcom_key = LINK

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the page that the task noted."""
        from airflow.sdk.execution_time.xcom import XCom

        del operator
        value = XCom.get_value(key=LINK, ti_key=ti_key)
        return str(value or "")


class SnowmeltRunOperator(BaseOperator):
    """Asks a service to load and publish, and waits without a worker until it has.

    `what`: `run` (all that has landed), `refresh` (of one pipe, or below a prefix),
    `rebuild`, `audit`, `tasks` (the graph of snowmelt.yml, or one task of it); without
    it, whichever fits the other arguments.

    `select` is in dbt's syntax and says what has to be there afterwards: a run builds
    all that is due, for gold is published as a whole. `since`: files that the service
    loaded by itself since then belong to the run, so that one that failed fails it; by
    default since this run of the DAG began.

    Returns the errand: `errand`, `run_id`, and what came of it as `answer`.
    """

    template_fields: Sequence[str] = (*_FIELDS, "what", "cause", "conn_id")
    operator_extra_links = (SnowmeltRunLink(),)
    ui_color = "#dff1f5"

    def __init__(
        self,
        *,
        what: str | None = None,
        pipe: str | None = None,
        prefix: str | None = None,
        select: list[str] | None = None,
        task: str | None = None,
        config: dict[str, Any] | None = None,
        since: str | None = SINCE_DAG_RUN,
        cause: str = "Airflow: {{ dag.dag_id }}.{{ task.task_id }}, {{ run_id }}",
        conn_id: str = DEFAULT,
        deferrable: bool = True,
        poll_interval: float = 5.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.what, self.pipe, self.prefix, self.select = what, pipe, prefix, select
        self.task, self.config, self.since, self.cause = task, config, since, cause
        self.conn_id, self.deferrable = conn_id, deferrable
        self.poll_interval = poll_interval
        self._errand: int | None = None
        self._is_ended = False

    def execute(self, context: Context) -> Any:
        """Ask, and wait."""
        return self._wait(context, self._ask(context))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Go on when the trigger has seen the errand's end."""
        if "problem" in event:
            raise AirflowException(event["problem"])
        if event.get("timeout"):
            self._time_out(context, event["errand"]["errand"])
        if "lost" in event:
            return self._lost(context, event["lost"])
        return self._heard(context, event["errand"])

    def on_kill(self) -> None:
        """Cancel what was asked for: nobody waits for it any more.

        Airflow calls this from a signal's handler, in the midst of whatever else: what
        it keeps of the task is left alone. The next try sees why the errand ended.
        """
        self._is_ended = True
        if self._errand is not None:
            self._cancel(self._errand, ENDED)

    # Asking once.

    def _ask(self, context: Context) -> Document:
        """Ask under the key of this task; return the errand it is."""
        asking = Asking(self._said, self.log.warning)
        store, ti = context.get("task_state_store"), context["ti"]
        if store is None:
            return asking.without_store(name_of(ti), ti.try_number, self._wish())
        return asking.once(store, name_of(ti), self._wish())

    def _said(self, wish: Document) -> Document:
        remote = SnowmeltHook(self.conn_id).get_conn()
        answer = remote.ask(ask_errand(wish))
        found: Document = answer["errand"]
        verb = "asked for" if answer["created"] else "waiting for"
        self.log.info("%s errand %s: %s", verb, found["errand"], found["what"])
        return found

    def _wait(self, context: Context, found: Document) -> Document:
        """Wait for an errand's end: on a triggerer, or here."""
        remote = SnowmeltHook(self.conn_id).get_conn()
        self._errand = found["errand"]
        context["ti"].xcom_push(key="errand", value=self._errand)
        context["ti"].xcom_push(key=LINK, value=f"{remote.url}/runs")
        deadline = self._deadline()
        if self.deferrable and not found["has_ended"]:
            self.defer(
                trigger=ErrandTrigger(
                    self.conn_id,
                    found["errand"],
                    self.poll_interval,
                    deadline,
                    found["key"],
                ),
                method_name="execute_complete",
            )
        clock, never = SystemClock(), threading.Event()
        while not found["has_ended"]:
            if is_past(deadline):
                self._time_out(context, found["errand"])
            clock.wait(never, min(1.0, self.poll_interval))
            looked = _look(remote, found)
            if looked is None:
                return self._lost(context, found["errand"])
            found = looked
        return self._heard(context, found)

    def _wish(self) -> Document:
        what = self.what or self._fitting()
        wish = {name: getattr(self, name) or None for name in _FIELDS}
        if what not in _LOOKS_BACK:
            wish["since"] = None
        return {"what": what, "cause": self.cause} | wish

    def _fitting(self) -> str:
        if self.task or self.config:
            return "tasks"
        return "refresh" if self.pipe or self.prefix else "run"

    # The end.

    def _heard(self, context: Context, found: Document) -> Document:
        """Return what came of an errand, or of another if a try before gave it up."""
        is_kept = context.get("task_state_store") is not None
        if is_kept and was_given_up(found) and not self._is_ended:
            self.log.warning("errand %s: %s", found["errand"], found["problem"])
            return self._wait(context, self._ask(context))
        return self._finish(context, found)

    def _lost(self, context: Context, errand: int) -> Document:
        """Ask once more, under the same key: the warehouse was restored meanwhile."""
        self.log.warning("the service does not know errand %s any more", errand)
        return self._wait(context, self._ask(context))

    def _finish(self, context: Context, found: Document) -> Document:
        _forget_key(context)
        if found["run_id"]:
            remote = SnowmeltHook(self.conn_id).get_conn()
            page = f"{remote.url}/runs/{found['run_id']}"
            context["ti"].xcom_push(key=LINK, value=page)
        told = f"errand {found['errand']} ({found['what']}) {found['state'].lower()}"
        if found["state"] != "SUCCEEDED":
            raise SnowmeltRunError(f"{told}: {found['problem']}")
        self.log.info("%s: %s", told, found["answer"])
        return {name: found[name] for name in ("errand", "run_id", "answer")}

    def _deadline(self) -> str | None:
        limit: timedelta | None = self.execution_timeout
        return (SystemClock().now() + limit).isoformat() if limit else None

    def _time_out(self, context: Context, errand: int) -> NoReturn:
        if self._cancel(errand, TOOK_TOO_LONG):
            _forget_key(context)
        limit = self.execution_timeout
        raise AirflowException(f"errand {errand} took longer than {limit}: cancelled")

    def _cancel(self, errand: int, reason: str) -> bool:
        """Cancel an errand. Returns whether the service heard of it."""
        try:
            remote = SnowmeltHook(self.conn_id).get_conn()
            remote.ask(cancel_errand(errand, reason))
        except ServiceError as error:
            self.log.warning("errand %s could not be cancelled: %s", errand, error)
            return False
        return True


def _look(remote: Remote, found: Document) -> Document | None:
    """Return how an errand stands; None if the service knows it no longer."""
    try:
        answer = remote.ask(find_errand(found["errand"]))
    except ServiceError as error:
        if error.status == NOT_THERE:
            return None
        raise
    return as_asked(answer["errand"], found["key"])


def _forget_key(context: Context) -> None:
    """Have the next try ask for another errand."""
    store = context.get("task_state_store")
    if store is not None:
        store.delete(KEY)
