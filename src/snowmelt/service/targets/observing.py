"""Reads a target's account now and then, and knows what it is to be told by."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from snowmelt.deploy import opening
from snowmelt.deploy.harvest.forgetting import forget_account_before
from snowmelt.deploy.harvest.harvest import harvest, read_log
from snowmelt.deploy.harvest.harvested import Harvested
from snowmelt.deploy.harvest.scope import Scope, scope_of
from snowmelt.deploy.harvest.tables import get, put
from snowmelt.deploy.snowflake.session import Session as Account
from snowmelt.errors import SnowmeltError
from snowmelt.service.parts import Parts
from snowmelt.service.targets.project import ObservedProject
from snowmelt.snowflake import PROMPT

log = logging.getLogger("snowmelt")
FRESH = timedelta(seconds=15)
"""What was read so recently is not read again for the next command."""
TIDY_EVERY = timedelta(hours=1)


@dataclass
class Observing:
    """One target: its account, read into the file of the target."""

    parts: Parts
    project: ObservedProject
    problem: str = ""
    """Why the account could not be asked the last time; empty if it could."""
    scope: Scope = field(init=False)

    def __post_init__(self) -> None:
        self.scope = scope_of(self.project, self.project.names)
        self._account: opening.AccountSession | None = None
        self._reading = threading.Lock()
        with self.parts.warehouse.session() as session:
            self.problem = get(session, "problem") or ""

    def account(self) -> opening.AccountSession:
        """Return the session with the account, opened once."""
        if self._account is None:
            given = self.project, self.project.names, self.parts.clock
            self._account = opening.connect(*given, opening.NO_OTHERS, PROMPT)
        return self._account

    def read(self, quiet_for: timedelta = timedelta(0)) -> Harvested:
        """Read what is new; history only if something happened, or after a while.

        Raises SnowmeltError when nothing can be asked.
        """
        with self._reading:
            try:
                parts = self.parts
                read = harvest(
                    *(self.account(), parts.warehouse, self.scope, parts.clock),
                    quiet_for=quiet_for,
                )
            except SnowmeltError as error:
                self.note(str(error))
                self.close()
                raise
            self.note("")
            if read.is_thorough:
                self._tidy_if_due()
            return read

    def read_log(self, account: Account) -> None:
        """Read which runs there were, and no other history, over a session.

        Not while everything is read: that does it, too. Raises SnowmeltError.
        """
        if not self._reading.acquire(blocking=False):
            return
        try:
            read_log(account, self.parts.warehouse, self.scope, self.parts.clock)
        finally:
            self._reading.release()

    def _tidy_if_due(self) -> None:
        """Let go of what is too old, now and then: it grows by what is read."""
        parts, now = self.parts, self.parts.clock.now()
        with parts.warehouse.session() as session:
            at = get(session, "tidied_at")
        if at and timedelta(0) <= now - datetime.fromisoformat(at) < TIDY_EVERY:
            return
        parts.pipeline_log.tidy()
        try:
            with parts.warehouse.session() as session:
                forget_account_before(session, parts.pipeline_log.horizons, now)
                put(session, "tidied_at", now.isoformat())
        except Exception:
            log.warning("what is kept of a target could not be tidied", exc_info=True)

    def note(self, problem: str) -> None:
        """Note why the account could not be asked, also for rules of alerts."""
        if problem != self.problem:
            with self.parts.warehouse.session() as session, session.transaction():
                put(session, "problem", problem or None)
        self.problem = problem

    def read_if_due(self) -> None:
        """Read what is new, unless that was done just now.

        An account that does not answer is told; what was read before is shown then.
        Raises SnowmeltError if there is nothing to be shown.
        """
        at = self.read_at()
        now = self.parts.clock.now()
        if at is not None and timedelta(0) <= now - at < FRESH:
            return
        try:
            self.read()
        except SnowmeltError:
            if at is None:
                raise

    def read_at(self) -> datetime | None:
        """Return when the account was read last."""
        with self.parts.warehouse.session() as session:
            told = get(session, "harvested_at")
        return datetime.fromisoformat(told) if told else None

    def close(self) -> None:
        """End the session with the account; the next question opens another."""
        account, self._account = self._account, None
        if account is not None:
            account.close()
