"""What every sink has to do, and how it says that it could not."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from snowmelt.observe.alerts.message import Message


class SendError(Exception):
    """A message did not arrive: why, and what that means for the next try.

    `refused`: this message will never be taken, others may be. Else the sink is not
    well, and is tried again, not before `retry_after` where it said so.
    """

    def __init__(
        self,
        problem: str,
        *,
        refused: bool = False,
        retry_after: timedelta | None = None,
    ) -> None:
        self.problem = problem
        self.refused = refused
        self.retry_after = retry_after
        super().__init__(problem)


class SinkConfig(Protocol):
    """The keys of one sink."""

    def send(self, message: Message, seconds_max: float) -> None:
        """Send a message. Raises SendError; no text of it may have a secret."""
        ...
