"""Alerts beside the loop: looks and deliveries, each in a lane of its own.

A turn only dispatches. A look reads the warehouse in one lane; every sink has another,
so that one that hangs holds up neither a load nor the other sinks. Events only wake:
what is wrong is found in the warehouse, where it is after a restart too.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial

from snowmelt.errors import SnowmeltError
from snowmelt.events import (
    AuditFinished,
    BatchIncomplete,
    CopyFinished,
    Event,
    FreshnessChanged,
    RejectsReplayed,
    RunFinished,
    Spilled,
)
from snowmelt.observe.alerts.around import Around
from snowmelt.observe.alerts.delivering import Delivering, Round
from snowmelt.observe.alerts.evaluation import Evaluation, Report
from snowmelt.observe.alerts.pacing import Pacing
from snowmelt.observe.alerts.records import fail_all, open_alerts, sinks_with_due
from snowmelt.service.alert_queries import Rendering
from snowmelt.service.lane import Lane
from snowmelt.service.parts import Parts

log = logging.getLogger("snowmelt")
_WAKING = (
    *(CopyFinished, RunFinished, FreshnessChanged, AuditFinished, Spilled),
    *(RejectsReplayed, BatchIncomplete),
)
_JUDGE_EVERY = timedelta(seconds=30)
_LATER = timedelta(seconds=10)


class Alerting:
    """Looks for what rules look for, and has alerts delivered."""

    def __init__(self, parts: Parts, wake: Callable[[], None]) -> None:
        self._parts = parts
        self._config = config = parts.project.settings.alerts
        self._pacing = Pacing(config.rules)
        self._evaluation = Evaluation(parts.warehouse, config, parts.clock)
        self._rendering = Rendering(parts.project.root)
        make_lane = partial(parts.make_lane, wake=wake)
        self._look_lane: Lane[Report] = make_lane("alerts")
        self._lanes: dict[str, Lane[Round]] = {
            sink: make_lane(f"alerts-{sink}") for sink in config.sinks
        }
        self._delivering = {
            sink: Delivering(
                parts.warehouse, config, sink, parts.project.settings.name, parts.clock
            )
            for sink in config.sinks
        }
        self._send_at: dict[str, datetime | None] = {}
        self._judge_at: datetime | None = None
        self.problems: dict[str, str] = {}
        """Rules that cannot be asked, and why."""
        self.changed: Callable[[], None] = lambda: None
        """Called when what is on record of alerts is otherwise."""
        self._take_up()

    def __call__(self, event: Event) -> None:
        """Look again soon after something happened; from any thread."""
        if isinstance(event, _WAKING):
            self._pacing.wake()

    def _take_up(self) -> None:
        """Go on with what a process before this one had to send."""
        with self._parts.warehouse.session() as session:
            due = sinks_with_due(session)
            for sink in due - set(self._config.sinks):
                fail_all(session, sink, "there is no sink of this name any more")
        now = self._parts.clock.now()
        self._send_at = dict.fromkeys(due & set(self._config.sinks), now)

    def turn(self) -> None:
        """Take what ended, and begin what is due."""
        now = self._parts.clock.now()
        self._take_look(now)
        for sink in self._lanes:
            self._take_round(sink, now)
        self._begin_look(now)
        for sink, lane in self._lanes.items():
            send_at = self._send_at.get(sink)
            if lane.idle and send_at is not None and send_at <= now:
                self._send_at[sink] = None
                lane.begin(self._delivering[sink].send_due)

    def _begin_look(self, now: datetime) -> None:
        names = self._pacing.due(self._parts.clock.monotonic())
        judged = self._judge_at is not None and now < self._judge_at
        if not self._look_lane.idle or not (names or not judged):
            return
        self._judge_at = now + _JUDGE_EVERY
        self._pacing.begin(names)
        self._look_lane.begin(partial(self._look, names))

    def _look(self, names: list[str]) -> Report:
        return self._evaluation.look(names, around_of(self._parts, self._rendering))

    def _take_look(self, now: datetime) -> None:
        work = self._look_lane.take()
        if work is None:
            return
        try:
            report = work.result()
        except Exception:
            log.exception("alerts could not be looked for")
            self._judge_at = now + _LATER
            return
        self._pacing.ended(report.seconds, self._parts.clock.monotonic())
        for rule, problem in report.problems.items():
            before = self.problems.pop(rule, None)
            if problem is not None:
                self.problems[rule] = problem
                if problem != before:
                    log.warning("alert rule %s cannot be asked: %s", rule, problem)
        if report.deliveries:
            self._send_at |= dict.fromkeys(self._lanes, now)
        if report.opened or report.resolved or report.deliveries:
            self.changed()

    def _take_round(self, sink: str, now: datetime) -> None:
        work = self._lanes[sink].take()
        if work is None:
            return
        try:
            ended = work.result()
        except Exception:
            log.exception("alerts could not be sent through %s", sink)
            ended = Round(0, now + _LATER)
        if ended.sent or ended.problem is not None:
            self.changed()
        if ended.problem is not None:
            log.warning("sink %s of alerts: %s", sink, ended.problem)
        known = self._send_at.get(sink)
        instants = [each for each in (known, ended.look_at) if each is not None]
        self._send_at[sink] = min(instants, default=None)

    def send_again(self) -> None:
        """Ask every sink what is due: something changed what is on record."""
        self._send_at |= dict.fromkeys(self._lanes, self._parts.clock.now())

    @property
    def idle(self) -> bool:
        """Is nothing looked for, and nothing sent or about to be?"""
        now = self._parts.clock.now()
        at_rest = self._look_lane.idle
        at_rest = at_rest and all(lane.idle for lane in self._lanes.values())
        return at_rest and not any(
            each is not None and each <= now for each in self._send_at.values()
        )

    def close(self) -> None:
        """Let what is under way end; of each sink that is one message at most."""
        for each in self._delivering.values():
            each.stop()
        self._look_lane.close()
        for lane in self._lanes.values():
            lane.close()


def has_to_alert(parts: Parts) -> bool:
    """Are there rules, or alerts of rules that were there before?"""
    if parts.project.settings.alerts.rules:
        return True
    with parts.warehouse.session() as session:
        now = parts.clock.now()
        return bool(open_alerts(session, now) or sinks_with_due(session))


def around_of(parts: Parts, rendering: Rendering) -> Around:
    """Return what rules look at beside the warehouse."""
    publish = parts.project.settings.publish
    return Around(
        now=parts.clock.now(),
        pipes={pipe.name: pipe for pipe in parts.project.pipes},
        folder=parts.project.warehouse_path.parent,
        anomaly_factor=publish.anomaly_factor,
        anomaly_loads_min=publish.anomaly_loads_min,
        render=rendering.render,
    )


@contextmanager
def alerted_after(parts: Parts) -> Iterator[None]:
    """Look for alerts after what the block did, and after what it could not do."""
    try:
        yield
    except SnowmeltError:
        _alert_anyway(parts)
        raise
    _alert_anyway(parts)


def _alert_anyway(parts: Parts) -> None:
    """Look once; what was done before stays done, whatever becomes of that."""
    try:
        alert_once(parts)
    except Exception:
        log.exception("alerts could not be looked for")


def alert_once(parts: Parts) -> None:
    """Look once, and deliver what can be delivered for as long as `run_wait`.

    For who has no service running: what is not delivered then is by the next `run`.
    """
    config = parts.project.settings.alerts
    if not has_to_alert(parts):
        return
    parts.pipeline_log.write()
    wake = threading.Event()
    alerting = Alerting(parts, wake.set)
    clock = parts.clock
    give_up_at = clock.monotonic() + config.run_wait.total_seconds()
    try:
        alerting.turn()
        while not alerting.idle and clock.monotonic() < give_up_at:
            clock.wait(wake, 0.1)
            wake.clear()
            alerting.turn()
    finally:
        alerting.close()
