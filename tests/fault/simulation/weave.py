"""Strands of work that go on one at a time, and only when they are told to.

The service's lanes are threads. Here each piece of their work is a strand: a thread
that stands still at every edge of the code until the simulation lets it go on. What
runs when is drawn from the seed, so that the same seed weaves the same history.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from typing import Any


class Crash(BaseException):
    """The process was killed: nothing it would have done from here on happens."""


class Strand:
    """One piece of a lane's work."""

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self.name = name
        self.over = False
        self.ident: int | None = None
        self._work = work
        self._go = threading.Lock()
        self._still = threading.Lock()
        self._go.acquire()
        self._still.acquire()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def resume(self) -> None:
        """Let it run until it stands still again, or is over."""
        self._go.release()
        self._still.acquire()
        if self.over:
            self._thread.join()

    def stand_still(self) -> None:
        """Wait, on the strand's own thread, to be told to go on."""
        self._still.release()
        self._go.acquire()

    def _run(self) -> None:
        self._go.acquire()
        self.ident = threading.get_ident()
        try:
            self._work()
        finally:
            self.over = True
            self._still.release()


class Weave:
    """All strands of one process, and whose turn it is."""

    def __init__(self) -> None:
        self.strands: list[Strand] = []
        self.running: Strand | None = None
        """The strand that runs now; None means the service's own thread."""
        self.dead = False
        self._own = threading.get_ident()
        self._made = 0

    def begin(self, name: str, work: Callable[[], None]) -> Strand:
        """Make a strand; it stands still."""
        self._made += 1
        strand = Strand(f"{name}#{self._made}", work)
        self.strands.append(strand)
        return strand

    def resume(self, strand: Strand) -> None:
        """Let a strand run for a while; asked by the service's own thread."""
        assert self.running is None, "only the service's own thread lets others run"
        self.running = strand
        strand.resume()
        self.running = None
        if strand.over:
            self.strands.remove(strand)
        if self.dead:
            raise Crash

    def pause(self) -> None:
        """Let the others go on; asked by a strand."""
        assert self.running is not None
        self.running.stand_still()
        if self.dead:
            raise Crash

    def die(self) -> None:
        """Let no strand do anything any more; unwind those that stand still."""
        self.dead = True
        while self.strands:
            with suppress(Crash):
                self.resume(self.strands[0])

    def knows_this_thread(self) -> bool:
        """Is it the one thread whose turn it is?"""
        ident = self.running.ident if self.running else self._own
        return ident == threading.get_ident()

    def finish(self, wanted: list[Strand] | None = None) -> None:
        """Let strands run to their ends, in turns with those they may wait for."""
        while [each for each in self.strands if wanted is None or each in wanted]:
            for strand in list(self.strands):
                self.resume(strand)


class LaneExecutor(Executor):
    """What a lane runs its work on: each piece is a strand of the weave."""

    def __init__(self, weave: Weave, name: str) -> None:
        self._weave = weave
        self._name = name
        self._own: list[Strand] = []

    def submit(self, fn: Callable[..., Any], /, *words: Any, **named: Any) -> Any:
        """Begin a piece of work."""
        future: Future[Any] = Future()

        def work() -> None:
            try:
                result = fn(*words, **named)
            except Crash:
                return
            except BaseException as error:  # noqa: BLE001 - as the real executor does
                future.set_exception(error)
            else:
                future.set_result(result)

        self._own.append(self._weave.begin(self._name, work))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let what is under way end."""
        self._weave.finish([each for each in self._own if not each.over])


class InlineExecutor(Executor):
    """What work that waits side by side runs on: one piece after the other."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def submit(self, fn: Callable[..., Any], /, *words: Any, **named: Any) -> Any:
        """Do a piece of work at once; a crash ends more than it."""
        future: Future[Any] = Future()
        try:
            result = fn(*words, **named)
        except Exception as error:  # noqa: BLE001 - as the real executor does
            future.set_exception(error)
        else:
            future.set_result(result)
        return future


class WovenLock:
    """A lock between strands: who has to wait for it lets the others go on."""

    def __init__(self, weave: Weave) -> None:
        self._weave = weave
        self._holder: Strand | None = None
        self._depth = 0

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def acquire(self) -> bool:
        """Take the lock; whoever holds it may take it again."""
        mine = self._weave.running
        while self._depth and self._holder is not mine:
            if mine is not None:
                self._weave.pause()
            else:
                assert self._holder is not None
                self._weave.resume(self._holder)
        self._holder = mine
        self._depth += 1
        return True

    def release(self) -> None:
        self._depth -= 1
