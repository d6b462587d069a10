"""The service: the loop turning until it is told to stop, beside its socket."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable
from functools import partial

from snowmelt.clock import Clock
from snowmelt.errors import UnreachableError
from snowmelt.events import Events
from snowmelt.observe.metrics import Metrics
from snowmelt.project.project import Project
from snowmelt.serve.client import connect_service
from snowmelt.serve.web_server import Opening
from snowmelt.service.commands import OwnCommands
from snowmelt.service.loop import Loop
from snowmelt.service.numbers import standing
from snowmelt.service.opening import opened_patiently
from snowmelt.service.upkeep import Upkeep
from snowmelt.service.windows import Windows

log = logging.getLogger("snowmelt")


def serve(
    project: Project, clock: Clock, events: Events, tell: Callable[[Opening], None]
) -> int:
    """Run until SIGTERM or SIGINT; return how many files are still pending.

    `tell` is told where the pages are, or why there are none.

    Raises UnreachableError when a service runs for this project already.
    """
    with connect_service(project.socket) as running:
        if running is not None:
            pid = running.status()["service"]["pid"]
            raise UnreachableError(
                str(project.root),
                f"a service runs already (pid {pid})",
                "Use it as it is: every command finds it.",
            )
    stopping = threading.Event()
    with opened_patiently(project, clock, events) as parts:
        loop = _kept_up(Loop(parts), project)
        before = {
            number: signal.signal(number, lambda *_: _stop(stopping, loop))
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        metrics = Metrics(partial(standing, loop))
        events.subscribe(metrics)
        commands = OwnCommands(loop, serving=True)
        windows = Windows(loop, commands, metrics)
        windows.start(tell)
        parts.stage.watch(loop.wake.set)
        try:
            while not stopping.is_set():
                loop.wake.clear()
                _turn(loop, stopping, clock)
                clock.wait(loop.wake, loop.seconds_to_next())
        finally:
            loop.stopping = True
            parts.stage.unwatch()
            loop.close()
            windows.stop()
            parts.publication.close()
            with parts.loading:
                pass  # a replay that was asked for has ended
            for number, handler in before.items():
                signal.signal(number, handler)
        return parts.pending.count


def _kept_up(loop: Loop, project: Project) -> Loop:
    parts = loop.parts
    loop.upkeep = Upkeep(project, parts.publication, parts.clock.now(), loop.note)
    return loop


def _turn(loop: Loop, stopping: threading.Event, clock: Clock) -> None:
    """Do one round; a round that cannot be done is told, and done a second later."""
    try:
        loop.turn()
    except Exception as error:
        log.exception("a round of the service could not be done")
        loop.note(f"a round of the service could not be done: {error}")
        clock.wait(stopping, 1.0)


def _stop(stopping: threading.Event, loop: Loop) -> None:
    stopping.set()
    loop.wake.set()
