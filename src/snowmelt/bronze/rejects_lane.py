"""Names for the engine's tables of rejects that no other reader uses meanwhile.

The engine keeps one counter of files for each name of a rejects table, for all
connections of a database together: two statements that read at once under one name
number their files out of turn, and each other's rejects look like their own. A name
is used again when its reader is done, because the engine never forgets one.
"""

from __future__ import annotations

import heapq
import threading

_lock = threading.Lock()
_free: list[int] = []
_taken = 0


class RejectsLane:
    """A number that is this reader's alone until it is closed."""

    def __init__(self) -> None:
        self._number: int | None = None

    def table(self, number: int) -> str:
        """Return the name of the rejects table of a reader's statement `number`."""
        if self._number is None:
            self._number = _take()
        return f"copy_rejects_{self._number}_{number}"

    def close(self) -> None:
        """Let another reader have the number."""
        if self._number is not None:
            with _lock:
                heapq.heappush(_free, self._number)
            self._number = None


def _take() -> int:
    global _taken
    with _lock:
        if _free:
            return heapq.heappop(_free)
        _taken += 1
        return _taken
