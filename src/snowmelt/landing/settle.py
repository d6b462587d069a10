"""When is a file whole? A decision without a clock or a disk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from snowmelt.landing.stage import StagedFile

CLOSED_SETTLE = timedelta(milliseconds=200)


@dataclass(frozen=True)
class Sighting:
    """A file as first seen in its present state, and how it was noticed."""

    file: StagedFile
    seen_at: datetime
    closed: bool


def whole_at(sighting: Sighting, settle: timedelta) -> datetime:
    """Return the instant from which the file counts as whole if it rests.

    A writer that closed the file, or renamed it into place, is believed after a
    fifth of a second without a change. A file that was only found by a listing must
    rest for `settle`, counted from its last modification when that is in the past,
    so that a file that has lain there for a day is not kept waiting.
    """
    if sighting.closed:
        return sighting.seen_at + min(CLOSED_SETTLE, settle)
    return min(sighting.file.modified_at, sighting.seen_at) + settle


def sight(
    before: Sighting | None, file: StagedFile, now: datetime, *, closed: bool
) -> Sighting:
    """Remember a file that was seen again: a changed one starts to rest anew."""
    if before is not None and before.file == file:
        return Sighting(file, before.seen_at, closed or before.closed)
    return Sighting(file, now, closed)
