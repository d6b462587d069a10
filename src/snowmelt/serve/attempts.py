"""How often passwords may be guessed."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from snowmelt.clock import Clock

FREE = 5
SECONDS_MAX = 900.0
REMEMBERED_MAX = 10_000


@dataclass(frozen=True)
class _Failures:
    count: int
    until: float


class Guessing:
    """Counts wrong passwords by name and by address; after five each wait doubles."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: dict[str, _Failures] = {}

    def wait(self, *keys: str) -> float:
        """Return for how many seconds nobody may try with one of these keys."""
        now = self._clock.monotonic()
        with self._lock:
            known = [self._failures[key].until for key in keys if key in self._failures]
        return max([0.0, *(until - now for until in known)])

    def failed(self, *keys: str) -> None:
        """A password was wrong."""
        now = self._clock.monotonic()
        with self._lock:
            for key in keys:
                before = self._failures.pop(key, _Failures(0, now))
                count = before.count + 1
                pause = (
                    min(2.0 ** (count - FREE), SECONDS_MAX) if count >= FREE else 0.0
                )
                self._failures[key] = _Failures(count, now + pause)
            while len(self._failures) > REMEMBERED_MAX:
                del self._failures[next(iter(self._failures))]

    def passed(self, *keys: str) -> None:
        """A password was right."""
        with self._lock:
            for key in keys:
                self._failures.pop(key, None)
