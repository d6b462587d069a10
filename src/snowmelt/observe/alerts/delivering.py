"""Sending what is due through one sink, and recording what came of it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime

from snowmelt.clock import Clock
from snowmelt.observe.alerts.config import AlertsConfig, Sink
from snowmelt.observe.alerts.delivery import Retries, Waiting, choose, judge_try
from snowmelt.observe.alerts.message import Message, Told, compose
from snowmelt.observe.alerts.records import (
    claim,
    drop,
    queue_of,
    read_told,
    write_outcome,
)
from snowmelt.observe.alerts.sinks.sending import SendError
from snowmelt.observe.alerts.time_limit import TimeLimit
from snowmelt.warehouse.port import Session, Warehouse

MESSAGES_AT_ONCE = 20
"""So many messages go through a sink before it is asked again what comes next."""


@dataclass(frozen=True)
class Round:
    """What came of a round. `look_at`: when something may be due again, if ever."""

    sent: int
    look_at: datetime | None
    problem: str | None = None


class Delivering:
    """Sends through one sink, one message after the other, at least once.

    A message is claimed, sent, and recorded as sent. A process killed between the last
    two sends it again, under the same id.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        config: AlertsConfig,
        sink: str,
        project: str,
        clock: Clock,
    ) -> None:
        self._warehouse = warehouse
        self._config = config
        self._name = sink
        self._sink: Sink = config.sinks[sink]
        self._project = project
        self._clock = clock
        self._limit = TimeLimit()
        self._stopping = threading.Event()
        self._retries = Retries(
            config.retry_first, config.retry_max, config.give_up_after
        )

    def stop(self) -> None:
        """Begin no other message: the process is about to end."""
        self._stopping.set()

    def send_due(self) -> Round:
        """Send what is due, in order, until nothing is or the sink is not well."""
        sent = 0
        with self._warehouse.session() as session:
            for _ in range(MESSAGES_AT_ONCE):
                now = self._clock.now()
                queue = queue_of(session, self._name)
                found = choose(queue, self._config.quiet_hours, now)
                if found.waiting is None or self._stopping.is_set():
                    return Round(sent, found.look_at)
                problem = self._deliver(session, found.waiting)
                if problem is not None:
                    return Round(sent, self._clock.now(), problem)
                sent += 1
        return Round(sent, self._clock.now())

    def _deliver(self, session: Session, waiting: Waiting) -> str | None:
        """Send one message; return why it could not be sent, if it could not."""
        told = read_told(session, waiting, self._name)
        if told is None:
            drop(session, waiting)
            return None
        if not claim(session, waiting, self._clock.now()):
            return None
        error = self._try(self._message(told, waiting))
        now = self._clock.now()
        outcome = judge_try(waiting, error, self._retries, now)
        write_outcome(session, waiting, outcome, now)
        return outcome.error

    def _message(self, told: Told, waiting: Waiting) -> Message:
        return compose(
            told,
            waiting.kind,
            self._project,
            self._clock.now(),
            hidden=self._sink.values == "hidden",
        )

    def _try(self, message: Message) -> SendError | None:
        try:
            send_within(self._sink, message, self._limit)
        except SendError as error:
            return error
        return None


def send_within(sink: Sink, message: Message, limit: TimeLimit) -> None:
    """Send a message through a sink, within its time limit. Raises SendError."""
    seconds_max = sink.time_limit.total_seconds()
    limit.run(lambda: sink.sends.send(message, seconds_max), seconds_max)
