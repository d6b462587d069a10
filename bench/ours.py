"""Snowmelt: `python -m bench.ours SPEC` does one work by turning a project's loop.

Like raw it starts with a fresh, opened warehouse whose table is there, and a load
ends with CHECKPOINT; only what lies between is measured.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from bench.arrivals import NEW_FILES, bring_in_turn, make_ready
from bench.inputs import DIGEST
from bench.known import add_known_files, add_known_loads
from bench.measured import Account, Meter, Ran, Spec, paths_of, run_as_told, warm
from bench.project import write_project
from snowmelt.clock import SystemClock
from snowmelt.events import Event, Events, FileSettled
from snowmelt.project.project import load_project
from snowmelt.service.loop import Loop
from snowmelt.service.opening import opened
from snowmelt.service.parts import Parts

SECONDS_MAX = 60.0


def load(spec: Spec) -> Ran:
    """Load all files: turn the loop, without publications, until it is quiet."""
    warm(Path(spec.folder))
    clock = SystemClock()
    with _opened(spec, Path(spec.folder), Events()) as (parts, loop):
        with Meter([]) as meter:
            while not loop.is_quiet():
                loop.wake.clear()
                loop.turn()
                if not loop.is_quiet():
                    clock.wait(loop.wake, loop.seconds_to_next())
            with parts.warehouse.session() as session:
                session.execute("checkpoint")
        return meter.ran(_account(parts, loop, 0))


def trickle(spec: Spec) -> Ran:
    """Serve files as they are put there; each is taken when its event is told.

    The event is emitted after the commit of the file's rows and history.
    """
    landing = Path(spec.place) / "landing"
    landing.mkdir()
    ready = make_ready(paths_of(spec), landing)
    settled: queue.SimpleQueue[tuple[str, float]] = queue.SimpleQueue()

    def note(event: Event) -> None:
        if isinstance(event, FileSettled):
            settled.put((event.file_name, perf_counter()))

    def take(name: str) -> float:
        found, at = settled.get(timeout=SECONDS_MAX)
        if found != name:
            raise SystemExit(f"{found} was settled where {name} was put")
        return at

    events = Events()
    events.subscribe(note)
    with _opened(spec, landing, events, settle="2s") as (parts, loop):
        add_known_loads(parts, spec.history_rows)
        with _served(parts, loop), Meter([]) as meter:
            meter.seconds = bring_in_turn(ready, take)
        return meter.ran(_account(parts, loop, spec.history_rows))


def listing(spec: Spec) -> Ran:
    """List a folder in which all files but a few are known."""
    with _opened(spec, Path(spec.folder), Events()) as (parts, loop):
        files = parts.stage.refresh()
        add_known_files(parts, files[:-NEW_FILES])
        with Meter([]) as meter:
            loop.look()
        if parts.pending.count != NEW_FILES:
            raise SystemExit(f"{parts.pending.count} new files were found")
        return meter.ran(Account(len(files), 0, 0, ""))


@contextmanager
def _opened(
    spec: Spec, landing: Path, events: Events, settle: str = "0s"
) -> Iterator[tuple[Parts, Loop]]:
    root = Path(spec.place) / "project"
    write_project(root, landing, spec, settle)
    with opened(load_project(root), SystemClock(), events) as parts:
        loop = Loop(parts, publishes=False)
        try:
            yield parts, loop
        finally:
            loop.close()


@contextmanager
def _served(parts: Parts, loop: Loop) -> Iterator[None]:
    """Turn the loop in a thread of its own, as the service does, watching."""
    clock, stopping = SystemClock(), threading.Event()

    def turn() -> None:
        while not stopping.is_set():
            loop.wake.clear()
            loop.turn()
            clock.wait(loop.wake, loop.seconds_to_next())

    thread = threading.Thread(target=turn, name="loop")
    parts.stage.watch(loop.wake.set)
    thread.start()
    try:
        while not loop.is_quiet():
            clock.wait(stopping, 0.01)
        yield
    finally:
        stopping.set()
        loop.wake.set()
        thread.join()
        parts.stage.unwatch()


def _account(parts: Parts, loop: Loop, known: int) -> Account:
    """Return what was loaded; fail unless history, rows and rejects agree."""
    if loop.problems:
        raise SystemExit("; ".join(loop.problems))
    with parts.warehouse.session() as session:
        ((files, row_count, error_count, parsed, ordinals),) = session.rows(
            "select count(*), sum(row_count)::bigint, sum(error_count)::bigint, "
            "sum(row_parsed)::bigint, sum(row_parsed * (row_parsed + 1) // 2) "
            "from snowmelt.load_history "
            "where status in ('Loaded', 'Partially loaded') and load_seq > $1",
            [known],
        )
        ((rows, row_ordinals, digest),) = session.rows(
            f"select count(*), sum(_file_row::hugeint), {DIGEST} from bronze.orders"
        )
        ((rejects, reject_ordinals),) = session.rows(
            "select count(*), coalesce(sum(file_row), 0) from snowmelt.rejects"
        )
    if (row_count, error_count, parsed) != (rows, rejects, rows + rejects):
        raise SystemExit(
            f"history tells of {row_count} rows and {error_count} rejects of {parsed}; "
            f"there are {rows} rows and {rejects} rejects"
        )
    if row_ordinals + reject_ordinals != ordinals:
        raise SystemExit("the ordinals of rows and rejects are not 1 to their number")
    return Account(files, rows, rejects, digest)


if __name__ == "__main__":
    run_as_told({"load": load, "trickle": trickle, "listing": listing})
