"""The service: the loop turning until it is told to stop, beside its socket."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from snowmelt.clock import Clock
from snowmelt.events import Events
from snowmelt.observe.metrics import Metrics
from snowmelt.project.project import Project
from snowmelt.serve.client import connect_service
from snowmelt.serve.web_server import Opening
from snowmelt.service.alerting import Alerting, has_to_alert
from snowmelt.service.commands import OwnCommands
from snowmelt.service.loop import Loop
from snowmelt.service.noticing import Noticing
from snowmelt.service.numbers import standing
from snowmelt.service.opening import opened_patiently
from snowmelt.service.owning import Owner, Patience, second_service
from snowmelt.service.publishing.sharing import Sharing
from snowmelt.service.supervisor import Supervisor
from snowmelt.service.upkeep import Upkeep
from snowmelt.service.vacuuming import Vacuuming
from snowmelt.service.windows import Windows

log = logging.getLogger("snowmelt")


def serve(
    project: Project,
    clock: Clock,
    events: Events,
    tell: Callable[[Opening], None],
    metrics_port: int | None = None,
    waits: Callable[[Owner], None] = lambda _: None,
) -> int:
    """Run until SIGTERM or SIGINT; return how many files are still pending.

    `tell` is told where the pages are, or why there are none. The numbers are served
    on `metrics_port` of loopback, too, if there is one.

    `waits` is told which command owns the warehouse: its end is waited for.

    Raises UnreachableError when a service runs for this project already.
    """
    with connect_service(project.socket) as running:
        if running is not None:
            pid = running.status()["service"]["pid"]
            raise second_service(project.root, pid)
    stopping = threading.Event()
    supervisor = Supervisor(os.environ)
    port = metrics_port or project.settings.observe.metrics_port
    patience = Patience(project, clock, waits, supervisor.waiting)
    with opened_patiently(project, clock, events, patience) as parts:
        loop = _kept_up(Loop(parts), project)
        with (
            _stopped_by_signals(stopping, loop),
            _answering(loop, port, tell) as notice,
        ):
            supervisor.ready()
            while not stopping.is_set():
                loop.wake.clear()
                _turn(loop, stopping, clock, notice)
                supervisor.alive()
                clock.wait(loop.wake, loop.seconds_to_next())
            supervisor.stopping()
        return parts.pending.count


@contextmanager
def _stopped_by_signals(stopping: threading.Event, loop: Loop) -> Iterator[None]:
    """Let SIGTERM and SIGINT end the loop while the block lasts."""
    before = {
        number: signal.signal(number, lambda *_: _stop(stopping, loop))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _answering(
    loop: Loop, port: int | None, tell: Callable[[Opening], None]
) -> Iterator[Callable[[], None]]:
    """Answer commands, browsers and scrapes, and watch the stage.

    Yield what notices, once in each round, that files of the project were written. At
    its end everything that is under way ends, and nothing else begins.
    """
    parts = loop.parts
    metrics = Metrics(partial(standing, loop))
    parts.events.subscribe(metrics)
    commands = OwnCommands(loop, serving=True)
    windows = Windows(loop, commands, metrics)
    lane = parts.make_lane("project", loop.wake.set)
    noticing = Noticing(parts.project, parts.clock, lane, windows.refresh)
    parts.noticing = noticing
    sharing = Sharing(parts, loop.note)
    parts.events.subscribe(sharing)
    end_numbers = metrics.serve(port)
    windows.start(tell)
    sharing.start()
    parts.stage.watch(loop.wake.set)
    try:
        yield noticing.turn
    finally:
        loop.stopping = True
        noticing.close()
        parts.stage.unwatch()
        sharing.stop()
        loop.close()
        windows.stop()
        end_numbers()
        parts.publication.close()
        with parts.loading:
            pass  # a replay that was asked for has ended


def _kept_up(loop: Loop, project: Project) -> Loop:
    parts = loop.parts
    now, vacuuming = parts.clock.now(), Vacuuming(parts.vacuum, parts.clock.now())
    loop.upkeep = Upkeep(project, parts.publication, now, loop.note, vacuuming)
    if has_to_alert(parts):
        loop.alerting = Alerting(parts, loop.wake.set)
        parts.events.subscribe(loop.alerting)
    loop.publishes_on_arrival = not loop.tasks.publishes
    loop.tasks.schedule(parts.clock.now())
    return loop


def _turn(
    loop: Loop, stopping: threading.Event, clock: Clock, notice: Callable[[], None]
) -> None:
    """Do one round; a round that cannot be done is told, and done a second later."""
    try:
        loop.turn()
        notice()
    except Exception as error:
        log.exception("a round of the service could not be done")
        loop.note(f"a round of the service could not be done: {error}")
        clock.wait(stopping, 1.0)


def _stop(stopping: threading.Event, loop: Loop) -> None:
    stopping.set()
    loop.wake.set()
