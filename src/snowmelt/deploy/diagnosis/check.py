"""One question about an account: what it was about, what was found, what mends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from snowmelt.deploy.harvest.remedies import remedy_of
from snowmelt.deploy.harvest.scope import Scope
from snowmelt.deploy.snowflake.session import AccountError, Row, Session

PASS, WARN, FAIL = "pass", "warn", "fail"


@dataclass(frozen=True)
class Check:
    """What was found. `statement`: how it was asked, so that a person asks it again."""

    name: str
    object: str
    level: str
    found: str
    statement: str
    remedy: str = ""


Looking = Callable[[list[Row]], list[Check]]


@dataclass(frozen=True)
class Asking:
    """Asks an account; a question that it refuses is a finding like any other."""

    session: Session
    scope: Scope

    def __call__(
        self, name: str, of: str, statement: str, look: Looking, what: str = ""
    ) -> list[Check]:
        """Ask, and return what `look` finds. `what`: the function, if it is refused."""
        try:
            rows = list(self.session.rows(statement))
        except AccountError as error:
            told = f"{error.number:06d}: {error.message}"
            mends = remedy_of(what, of, error, self.scope)
            return [Check(name, of, FAIL, told, statement, mends)]
        return look(rows)
