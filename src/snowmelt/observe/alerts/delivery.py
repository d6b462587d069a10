"""Which message goes next through a sink, and when a failed one is tried again.

A sink gets its messages in the order they were written. While it is not well all of
them wait, so that it is not run over when it comes back, and hears in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from snowmelt.observe.alerts.message import Kind
from snowmelt.observe.alerts.quiet import QuietHours
from snowmelt.observe.alerts.severity import Severity
from snowmelt.observe.alerts.sinks.sending import SendError

_DOUBLINGS_MAX = 30


class DeliveryState(StrEnum):
    """How a message stands. DROPPED: it was not due yet when its alert ended."""

    DUE = "due"
    SENT = "sent"
    FAILED = "failed"
    DROPPED = "dropped"


@dataclass(frozen=True)
class Waiting:
    """A message that is to be sent."""

    delivery_id: int
    alert_id: str
    kind: Kind
    severity: Severity
    tries: int
    next_try_at: datetime
    first_try_at: datetime | None = None


@dataclass(frozen=True)
class Retries:
    """How often and for how long it is tried to deliver a message."""

    first: timedelta
    longest: timedelta
    give_up_after: timedelta

    def after(self, tries: int, asked: timedelta | None) -> timedelta:
        """Return the pause after so many tries, or what the sink asked for."""
        doubled = self.first * 2.0 ** min(max(tries - 1, 0), _DOUBLINGS_MAX)
        return max(min(doubled, self.longest), asked or timedelta(0))


@dataclass(frozen=True)
class Next:
    """What a sink does next: send a message, or look again at an instant."""

    waiting: Waiting | None = None
    look_at: datetime | None = None


def choose(queue: Sequence[Waiting], quiet: QuietHours | None, now: datetime) -> Next:
    """Return which of a sink's messages goes now.

    `queue` is in the order they were written. What is not due yet, or held back by
    quiet hours, is passed over, and with it what follows about the same alert.
    """
    passed: set[str] = set()
    instants: list[datetime] = []
    for each in queue:
        if each.alert_id in passed:
            continue
        held_until = _held_until(each, quiet, now)
        if held_until is None:
            return Next(each)
        if each.tries and each.next_try_at > now:
            return Next(None, min([*instants, held_until]))
        passed.add(each.alert_id)
        instants.append(held_until)
    return Next(None, min(instants, default=None))


def _held_until(
    each: Waiting, quiet: QuietHours | None, now: datetime
) -> datetime | None:
    if each.next_try_at > now:
        return each.next_try_at
    if quiet is not None and quiet.holds_back(each.severity, now):
        return quiet.ends(now)
    return None


@dataclass(frozen=True)
class Outcome:
    """How a message stands after a try."""

    state: DeliveryState
    tries: int
    next_try_at: datetime
    error: str | None = None


def judge_try(
    each: Waiting, error: SendError | None, retries: Retries, now: datetime
) -> Outcome:
    """Return how a message stands after it was tried."""
    tries = each.tries + 1
    if error is None:
        return Outcome(DeliveryState.SENT, tries, now)
    if error.refused:
        return Outcome(DeliveryState.FAILED, tries, now, error.problem)
    if now - (each.first_try_at or now) >= retries.give_up_after:
        problem = f"given up after {tries} tries: {error.problem}"
        return Outcome(DeliveryState.FAILED, tries, now, problem)
    next_at = now + retries.after(tries, error.retry_after)
    return Outcome(DeliveryState.DUE, tries, next_at, error.problem)
