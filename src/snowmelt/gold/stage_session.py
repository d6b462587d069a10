"""A run's session for others: they see what was built so far, and cannot end it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager

from snowmelt.errors import RunError, UsageError
from snowmelt.transform.recording import has_effect
from snowmelt.transform.statements import ToldSession
from snowmelt.warehouse.port import Table

_COMMENT = re.compile(r"/\*.*?\*/|--[^\n]*", re.DOTALL)
_ENDS_IT = re.compile(
    r"(?:^|;)\s*(begin|start\s+transaction|commit|end|rollback|abort)\b", re.I
)
_REMEDY = "Leave that to the run: what it built is published whole, or not at all."


class StageSession(ToldSession):
    """The session of an open run, each statement told of.

    `has_written` once a statement was sent that may have changed something.
    """

    has_written = False
    _broken = ""

    def table(
        self, sql: str, parameters: Sequence[object] = (), limit: int | None = None
    ) -> Table:
        """Run a statement. Raises UsageError for one that ends the transaction."""
        if _ENDS_IT.search(_COMMENT.sub(" ", sql)):
            raise UsageError(
                "sql", "the run's transaction cannot be begun or ended here", _REMEDY
            )
        self.has_written |= has_effect(sql) or ";" in sql.strip().rstrip(";")
        try:
            return super().table(sql, parameters, limit)
        except Exception as error:
            self._note(str(error).strip())
            raise

    def insert(self, table: str, columns: dict[str, Sequence[object]]) -> None:
        self.has_written = True
        try:
            super().insert(table, columns)
        except Exception as error:
            self._note(str(error).strip())
            raise

    def require_alive(self) -> None:
        """Raise RunError if a statement failed for which the engine gave up the run."""
        if self._broken:
            raise RunError("sql", self._broken)

    def _note(self, problem: str) -> None:
        """Find out whether the transaction goes on after a failure."""
        try:
            self._session.value("select 1")
        except Exception:  # noqa: BLE001 - the driver's, whichever that is
            self._broken = problem

    def transaction(self) -> AbstractContextManager[None]:
        raise UsageError("sql", "the run's transaction is open already", _REMEDY)

    def rolled_back(self) -> AbstractContextManager[None]:
        return self.transaction()
