"""Observes a target: reads its account now and then, beside its pages and alerts."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from snowmelt.clock import Clock
from snowmelt.deploy.harvest.harvested import Harvested
from snowmelt.errors import SnowmeltError, UnreachableError
from snowmelt.events import Events
from snowmelt.observe.metrics import Metrics
from snowmelt.serve.client import connect_service
from snowmelt.serve.web_server import Opening
from snowmelt.service.alerting import Alerting, has_to_alert
from snowmelt.service.loop import Loop
from snowmelt.service.masking.personal import personal_of
from snowmelt.service.numbers import standing
from snowmelt.service.parts import Parts
from snowmelt.service.supervisor import Supervisor
from snowmelt.service.targets.commands import target_commands
from snowmelt.service.targets.files import FilesThere, Reader
from snowmelt.service.targets.gold import GoldThere
from snowmelt.service.targets.observing import Observing
from snowmelt.service.targets.opening import opened_target
from snowmelt.service.targets.project import ObservedProject
from snowmelt.service.windows import Windows
from snowmelt.transform.tasks.ledger import standings

log = logging.getLogger("snowmelt")
TURN_SECONDS = 1.0
Told = Callable[[Harvested | SnowmeltError], None]


@dataclass(frozen=True)
class Pace:
    """How often an account is looked at, and how often history is read at least.

    History takes a warehouse, which would never be suspended if it were read each time:
    while nothing happens it is read after `history` only, and else after a pause.
    """

    every: timedelta
    history: timedelta


def observe(
    project: ObservedProject,
    clock: Clock,
    pace: Pace,
    tell: Callable[[Opening], None],
    told: Told,
) -> None:
    """Run until SIGTERM or SIGINT. `told` hears of each reading, and why there is none.

    Raises UnreachableError when somebody observes the target already, and what the
    first sign-in meets when nothing was ever read.
    """
    with connect_service(project.socket) as running:
        if running is not None:
            pid = running.status()["service"]["pid"]
            raise UnreachableError(
                project.target_name,
                f"it is observed already (pid {pid})",
                "Use it as it is: every command with --target finds it.",
            )
    stopping = threading.Event()
    events = Events()
    with (
        opened_target(project, clock, events) as parts,
        _reading(parts, told) as reader,
    ):
        observing = Observing(parts, project)
        gold = parts.gold = GoldThere(observing)
        try:
            observing.read_if_due()
            loop = Loop(parts)
            if has_to_alert(parts):
                loop.alerting = Alerting(parts, loop.wake.set)
                events.subscribe(loop.alerting)
            with _stopped_by_signals(stopping), _answering(loop, observing, tell) as w:
                reader.changed = partial(_files_changed, loop, w)
                try:
                    _watch(loop, observing, w, (stopping, pace, told))
                finally:
                    reader.changed = lambda: None
        finally:
            gold.close()
            observing.close()


@contextmanager
def _reading(parts: Parts, told: Told) -> Iterator[Reader]:
    """Have the project's files read beside all else, whenever they change."""
    files = parts.files
    assert isinstance(files, FilesThere)
    files.refused = told
    with files.beside() as reader:
        yield reader


def _files_changed(loop: Loop, windows: Windows) -> None:
    """Decide what is masked before a viewer asks, and have open pages ask anew."""
    with loop.parts.warehouse.snapshot() as session:
        personal_of(loop.parts, session)
    windows.refresh()


def _watch(
    loop: Loop,
    observing: Observing,
    windows: Windows,
    how: tuple[threading.Event, Pace, Told],
) -> None:
    stopping, pace, told = how
    files = loop.parts.files
    assert isinstance(files, FilesThere)
    clock, supervisor = loop.parts.clock, Supervisor(os.environ)
    read_at = clock.monotonic()
    supervisor.ready()
    while not stopping.is_set():
        supervisor.alive()
        files.look()
        if clock.monotonic() - read_at >= pace.every.total_seconds():
            _read(loop, observing, pace.history, told)
            read_at = clock.monotonic()
            windows.refresh()
        if loop.alerting is not None:
            loop.alerting.turn()
        if loop.parts.pipeline_log.is_due(busy=False):
            loop.parts.pipeline_log.keep_up(busy=False)
        clock.wait(stopping, TURN_SECONDS)
    supervisor.stopping()


def _read(loop: Loop, observing: Observing, quiet_for: timedelta, told: Told) -> None:
    """Read what is new; a reading that fails is told, and done again when it is due."""
    try:
        before = _newest(loop)
        told(observing.read(quiet_for))
        _tell_arrivals(loop, before)
    except SnowmeltError as error:
        told(error)
    except Exception as error:
        log.exception("a target could not be read")
        observing.note(f"it could not be read: {error}")
        return
    tasks = loop.tasks.tasks
    with loop.parts.warehouse.session() as session:
        if tasks is not None:
            tasks.standings = standings(session, tasks.graph)
    loop.watching.check(loop.parts.clock.now())


def _newest(loop: Loop) -> datetime | None:
    """Return when the newest file was loaded that is known."""
    with loop.parts.warehouse.session() as session:
        newest: datetime | None = session.value(
            "select max(last_load_time) from snowmelt.load_history"
        )
    return newest


def _tell_arrivals(loop: Loop, before: datetime | None) -> None:
    """Let who waits for files hear of those that were loaded since."""
    with loop.parts.warehouse.session() as session:
        rows = session.rows(
            "select pipe_name, last_load_time from snowmelt.load_history "
            "where status in ('Loaded', 'Partially loaded') "
            "and ($1 is null or last_load_time > $1) order by last_load_time",
            [before],
        )
    for pipe, at in rows:
        loop.watching.arrived(pipe, at)


@contextmanager
def _answering(
    loop: Loop, observing: Observing, tell: Callable[[Opening], None]
) -> Iterator[Windows]:
    """Answer commands and browsers while the block lasts."""
    metrics = Metrics(partial(standing, loop))
    commands = target_commands(loop, observing, serving=True)
    windows = Windows(loop, commands, metrics)
    windows.start(tell)
    try:
        yield windows
    finally:
        loop.stopping = True
        loop.close()
        windows.stop()
        loop.parts.publication.close()


@contextmanager
def _stopped_by_signals(stopping: threading.Event) -> Iterator[None]:
    before = {
        number: signal.signal(number, lambda *_: stopping.set())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
