"""Waiting for files: until they are loaded, whoever lands them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.exceptions import AirflowException
from airflow.sdk import BaseSensorOperator
from airflow.sdk.bases.sensor import PokeReturnValue

from snowmelt.airflow.hooks import DEFAULT, SnowmeltHook
from snowmelt.airflow.triggers import FilesTrigger
from snowmelt.remote import Document, what_arrived

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context


class SnowmeltFilesSensor(BaseSensorOperator):
    """Waits until files of a pipe are loaded, without a worker.

    `name`: a pattern of names in the stage (`orders_{{ ds }}*.csv`); without one, any
    file. `files_min`: so many of them. `since`: what was loaded before that instant
    does not count. A file whose newest version could not be loaded fails the task, with
    the line and the reason, unless `fail_on_failed` is off.

    Returns what arrived: `files`, `loaded`, `row_count`.
    """

    template_fields: Sequence[str] = ("pipe", "name", "since", "conn_id")
    ui_color = "#dff1f5"

    def __init__(
        self,
        *,
        pipe: str,
        name: str | None = None,
        files_min: int = 1,
        since: str | None = None,
        fail_on_failed: bool = True,
        conn_id: str = DEFAULT,
        deferrable: bool = True,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("poke_interval", 5.0)
        super().__init__(**kwargs)
        self.pipe, self.name, self.files_min, self.since = pipe, name, files_min, since
        self.fail_on_failed, self.conn_id = fail_on_failed, conn_id
        self.deferrable = deferrable

    def execute(self, context: Context) -> Any:
        """Look once, then let a triggerer wait."""
        if not self.deferrable:
            return super().execute(context)
        done = self.poke(context)
        if done:
            return done.xcom_value
        self.defer(
            trigger=FilesTrigger(
                conn_id=self.conn_id,
                pipe=self.pipe,
                name=self.name,
                since=self.since or None,
                files_min=self.files_min,
                fail_on_failed=self.fail_on_failed,
                poll_interval=float(self.poke_interval),
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=self.timeout),
        )
        return None

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Go on when the trigger has seen what arrived."""
        del context
        if "problem" in event:
            raise AirflowException(event["problem"])
        return self._judge(event["arrived"])

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once."""
        del context
        question = what_arrived(self.pipe, self.name, self.since or None)
        found = self._judge(SnowmeltHook(self.conn_id).get_conn().ask(question))
        return PokeReturnValue(is_done=found is not None, xcom_value=found)

    def _judge(self, arrived: Document) -> Document | None:
        """Return what arrived if it is enough. Raises for files that failed."""
        if arrived["failed"] and self.fail_on_failed:
            told = [
                f"{each['file']}:{each['line'] or 1}: {each['message']}"
                for each in arrived["failed_loads"]
            ]
            raise AirflowException(f"{arrived['failed']} failed: {'; '.join(told)}")
        if arrived["loaded"] < self.files_min:
            return None
        return {name: arrived[name] for name in ("files", "loaded", "row_count")}
