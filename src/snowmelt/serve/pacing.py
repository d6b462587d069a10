"""When open pages hear that something changed: soon, and at what the loader can spare.

Pages that show the same are told together, because they share one answer. While the
loader rests, all of them are told at once. While it is at work they are told in turn,
and after each there is a pause in which what its answers cost is a small share: so the
share that screens take from a load is the same for five viewers and for two hundred.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from snowmelt.events import CopyFinished, CopyStarted, Event, FileSettled, FilesFound

LULL_SECONDS = 0.1
"""So long without anything new is a pause of the loader's."""
PATIENCE_SECONDS = 0.5
"""So long is a pause waited for: files that come together are shown together."""
REST_SECONDS = 1.0
"""A page is told no more often than this."""
SHARE_MAX = 0.03
"""Of the time in which files are loaded, what answers for pages may take."""
LATE_SECONDS_MAX = 10.0
"""While files are loaded, every page is told within this, whatever it costs."""
_GROUPS_KEPT = 1000
_NEVER = float("-inf")


class Bustle:
    """Is the loader at work? It is told by what happens, and asks nothing."""

    def __init__(self) -> None:
        self.began_at = _NEVER
        self._seen_at = _NEVER
        self._copying: set[str] = set()

    def note(self, event: Event, now: float) -> None:
        """Take note of what happened, if it is the loader's doing."""
        if not isinstance(event, FilesFound | CopyStarted | CopyFinished | FileSettled):
            return
        if not self.is_on(now):
            self.began_at = now
        self._seen_at = now
        if isinstance(event, CopyStarted):
            self._copying.add(event.pipe_name)
        elif isinstance(event, CopyFinished):
            self._copying.discard(event.pipe_name)

    def is_on(self, now: float) -> bool:
        """Are files being loaded, or about to be?"""
        return bool(self._copying) or now - self._seen_at < LULL_SECONDS


class Pace:
    """Chooses who is told next."""

    def __init__(self, bustle: Bustle) -> None:
        self._bustle = bustle
        self._told_at: dict[str, float] = {}
        self._next_at = _NEVER

    def choose(
        self, due: Collection[str], costs: Mapping[str, float], now: float
    ) -> list[str]:
        """Return the groups to tell now; `costs`: what the answers of each will take.

        They are of all groups that listen, due or not.
        """
        ready = sorted(
            (each for each in due if now - self._at(each) >= REST_SECONDS), key=self._at
        )
        if self._bustle.is_on(now):
            waits = now - self._bustle.began_at < PATIENCE_SECONDS
            if waits or now < self._next_at:
                return []
            ready = ready[:1]
        if ready:
            self._told_at |= dict.fromkeys(ready, now)
            share = max(SHARE_MAX, sum(costs.values()) / LATE_SECONDS_MAX)
            self._next_at = now + sum(costs[each] for each in ready) / share
            self._forget(now)
        return ready

    def _at(self, group: str) -> float:
        return self._told_at.get(group, _NEVER)

    def _forget(self, now: float) -> None:
        """Forget groups of pages that are long closed."""
        if len(self._told_at) > _GROUPS_KEPT:
            self._told_at = {
                each: at
                for each, at in self._told_at.items()
                if now - at < REST_SECONDS
            }
