"""Which files a pipe missed, and what makes it load exactly those. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

REFRESHED = timedelta(days=7)
"""How far back a pipe's REFRESH looks."""
_MARGIN = timedelta(hours=1)
FILES_MAX = 1000
"""How many files one COPY names."""


@dataclass(frozen=True, order=True)
class Staged:
    """A file of the stage: its path below the stage, and when it was last written."""

    modified_at: datetime
    path: str


@dataclass(frozen=True)
class Refresh:
    """Let the pipe look at what begins so and was written after a moment."""

    prefix: str
    since: datetime | None

    def reaches(self, file: Staged) -> bool:
        """Would the pipe look at this file?"""
        is_new = self.since is None or file.modified_at > self.since
        return is_new and file.path.startswith(self.prefix)


@dataclass(frozen=True)
class CopyFiles:
    """Copy these files by name, beside the pipe."""

    paths: tuple[str, ...]


Catching = Refresh | CopyFiles


def catch_up(
    staged: Collection[Staged], known: Collection[str], pattern: str, now: datetime
) -> list[Catching]:
    """Return what loads each file of the stage that is not known, and no other.

    `known` are the paths that were loaded, or failed: no refresh of a pipe whose
    history is new may reach one of them, for it would be loaded twice. A refresh is the
    better way, since the pipe then knows the file; what it does not reach, or cannot
    tell from a known one, is copied by name.
    """
    matching = sorted(f for f in staged if re.fullmatch(pattern, f.path))
    missing = [file for file in matching if file.path not in known]
    if not missing:
        return []
    loaded = [file for file in matching if file.path in known]
    oldest = now - REFRESHED + _MARGIN
    recent = [file for file in missing if file.modified_at >= oldest]
    by_name = [file for file in missing if file.modified_at < oldest]
    found: list[Catching] = []
    if recent:
        together = _together(recent, loaded)
        if together is not None:
            found.append(together)
        else:
            alone = [(file, _alone(file, matching, loaded)) for file in recent]
            found += [refresh for _, refresh in alone if refresh is not None]
            by_name += [file for file, refresh in alone if refresh is None]
    by_name.sort()
    for start in range(0, len(by_name), FILES_MAX):
        paths = tuple(file.path for file in by_name[start : start + FILES_MAX])
        found.append(CopyFiles(paths))
    return found


def _together(missing: Sequence[Staged], loaded: Sequence[Staged]) -> Refresh | None:
    """Return one refresh for all, if it reaches none that is loaded."""
    if not loaded:
        return Refresh("", None)
    since = min(file.modified_at for file in missing) - timedelta(milliseconds=1)
    refresh = Refresh("", since)
    return None if any(refresh.reaches(file) for file in loaded) else refresh


def _alone(
    file: Staged, matching: Sequence[Staged], loaded: Sequence[Staged]
) -> Refresh | None:
    """Return a refresh that reaches this file alone of all."""
    refresh = Refresh(file.path, file.modified_at - timedelta(milliseconds=1))
    reached = [each for each in matching if refresh.reaches(each)]
    return refresh if reached == [file] else None
