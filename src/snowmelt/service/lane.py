"""A lane: one thread that does one piece of work at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, Generic, Protocol, TypeVar

Result = TypeVar("Result")


class Lane(Generic[Result]):
    """Takes work while idle and hands its result back to the loop, once."""

    def __init__(
        self, name: str, wake: Callable[[], None], executor: Executor | None = None
    ) -> None:
        self._pool = executor or ThreadPoolExecutor(1, name)
        self._wake = wake
        self._work: Future[Result] | None = None

    @property
    def idle(self) -> bool:
        """Is there neither work nor a result that nobody took?"""
        return self._work is None

    def begin(self, work: Callable[[], Result]) -> None:
        """Start a piece of work; the lane must be idle."""
        assert self._work is None, "the lane is busy"
        self._work = self._pool.submit(work)
        self._work.add_done_callback(lambda _: self._wake())

    def take(self) -> Future[Result] | None:
        """Return finished work, which makes the lane idle; else None."""
        if self._work is None or not self._work.done():
            return None
        work, self._work = self._work, None
        return work

    def close(self) -> None:
        """Let running work end, and its transaction with it."""
        self._pool.shutdown(wait=True)


class MakeLane(Protocol):
    """Makes a lane of a name; it calls `wake` when a piece of work is done."""

    def __call__(self, name: str, wake: Callable[[], None]) -> Lane[Any]: ...
