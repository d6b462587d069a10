"""Whether each pipe's files come when they are expected."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from snowmelt.events import Events, FreshnessChanged
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.expectation import Expectation, Freshness, Watch, read_expectation
from snowmelt.warehouse.port import Session, Warehouse

_WORSE = {
    Freshness.RECOVERED: 0,
    Freshness.FRESH: 0,
    Freshness.LATE: 1,
    Freshness.MISSING: 2,
}


class Watching:
    """Keeps each expected pipe's state, and puts every change of it on record.

    With time a state only becomes worse, also where the clock is put back; a file
    that arrives makes it better.
    """

    def __init__(
        self, warehouse: Warehouse, pipes: Sequence[Pipe], events: Events, now: datetime
    ) -> None:
        self._warehouse = warehouse
        self._events = events
        self._expected = {
            pipe.name: read_expectation(pipe.expect) for pipe in pipes if pipe.expect
        }
        self._watches: dict[str, Watch] = {}
        self._states: dict[str, Freshness] = {}
        if self._expected:
            with warehouse.session() as session:
                for name, expected in self._expected.items():
                    self._resume(session, name, expected, now)

    def _resume(
        self, session: Session, name: str, expected: Expectation, now: datetime
    ) -> None:
        """Take up what is on record; a pipe without a record is watched from now."""
        rows = session.rows(
            "select state, due_at, happened_at from snowmelt.pipe_events "
            "where pipe_name = $1 and event = 'freshness' "
            "order by happened_at desc, due_at desc limit 1",
            [name],
        )
        state, due, since = rows[0] if rows else ("fresh", None, None)
        self._states[name] = Freshness(state)
        if due is None:
            self._watches[name] = Watch(expected.due_after(now))
            self._states[name] = Freshness.FRESH
            self._record(session, name, Freshness.FRESH, now)
            return
        recovered_at = since if state == Freshness.RECOVERED else None
        self._watches[name] = Watch(due, recovered_at)
        arrivals = session.rows(
            "select last_load_time from snowmelt.load_history "
            "where pipe_name = $1 and last_load_time > $2 and replay_of is null "
            "and status in ('Loaded', 'Partially loaded') order by last_load_time",
            [name, since],
        )
        for (at,) in arrivals:
            self._watches[name] = self._watches[name].arrived(expected, at)

    def arrived(self, pipe_name: str, at: datetime) -> None:
        """A file of a pipe was loaded."""
        expected = self._expected.get(pipe_name)
        if expected is None:
            return
        watch = self._watches[pipe_name]
        overdue = watch.freshness(expected, at) is not Freshness.FRESH
        self._watches[pipe_name] = watch.arrived(expected, at)
        was_told = self._states[pipe_name] in (Freshness.LATE, Freshness.MISSING)
        if overdue or was_told:
            self._change(pipe_name, Freshness.RECOVERED, at)

    def check(self, now: datetime) -> None:
        """Find the pipes whose files have become late or missing."""
        for name, expected in self._expected.items():
            state = self._watches[name].freshness(expected, now)
            if _WORSE[state] > _WORSE[self._states[name]]:
                self._change(name, state, now)

    def documents(self) -> list[dict[str, object]]:
        """Return each expected pipe's state and when its next file is due."""
        return [
            {"pipe_name": name, "state": str(state), "due_at": self._watches[name].due}
            for name, state in self._states.items()
        ]

    def _change(self, name: str, state: Freshness, now: datetime) -> None:
        self._states[name] = state
        with self._warehouse.session() as session:
            self._record(session, name, state, now)
            newest = session.value(
                "select max(last_load_time) from snowmelt.load_history "
                "where pipe_name = $1 and row_count > 0",
                [name],
            )
        lag = (now - newest).total_seconds() if newest else None
        due = self._watches[name].due
        self._events.emit(FreshnessChanged(name, str(state), due, now, lag))

    def _record(
        self, session: Session, name: str, state: Freshness, now: datetime
    ) -> None:
        session.insert(
            "snowmelt.pipe_events",
            {
                "pipe_name": [name],
                "event": ["freshness"],
                "state": [str(state)],
                "due_at": [self._watches[name].due],
                "happened_at": [now],
                "detail": [None],
            },
        )
