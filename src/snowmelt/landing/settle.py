"""When is a file whole? A decision without a clock or a disk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from snowmelt.landing.config import LandingConfig
from snowmelt.landing.stage import StagedFile

CLOSED_SETTLE = timedelta(milliseconds=200)
USUAL_SETTLE: timedelta = LandingConfig.model_fields["settle"].default


class Noticed(IntEnum):
    """How a file was noticed; the more it says, the higher."""

    FOUND = 0
    """By a listing, or as it came into being: somebody may be writing it."""
    CLOSED = 1
    """A writer closed it."""
    PLACED = 2
    """It was renamed into place, or is an object of a bucket: it is whole."""


@dataclass(frozen=True)
class Sighting:
    """A file as first seen in its present state, and how it was noticed."""

    file: StagedFile
    seen_at: datetime
    noticed: Noticed


def whole_at(sighting: Sighting, settle: timedelta) -> datetime:
    """Return the instant from which the file counts as whole if it rests.

    A file that was renamed into place is whole at once. A writer that closed the
    file is believed after a fifth of a second without a change, unless `settle` is
    longer than usual: then writers close a file and go on later. A file that was only
    found by a listing must rest for `settle`, counted from its last modification
    when that is in the past, so that a file that has lain there for a day is not
    kept waiting.
    """
    if sighting.noticed is Noticed.PLACED:
        return sighting.seen_at
    if sighting.noticed is Noticed.CLOSED:
        rest = settle if settle > USUAL_SETTLE else min(CLOSED_SETTLE, settle)
        return sighting.seen_at + rest
    return min(sighting.file.modified_at, sighting.seen_at) + settle


def sight(
    before: Sighting | None, file: StagedFile, now: datetime, noticed: Noticed
) -> Sighting:
    """Remember a file that was seen again: a changed one starts to rest anew.

    A clock that was put back meanwhile does not make it rest for longer.
    """
    if before is not None and before.file == file:
        seen_at = min(before.seen_at, now)
        return Sighting(file, seen_at, max(noticed, before.noticed))
    return Sighting(file, now, noticed)
