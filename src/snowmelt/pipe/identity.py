"""Is this file new? The rules of identity, as a table of values.

A file is compared with the live loads of its pipe: those that no later load
superseded. Same path, same bytes: nothing to load. Same path, other bytes: the new
version supersedes. Another path, same bytes: a duplicate. So A, then B, then A again
under one name are three versions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class LiveLoad:
    """A load whose rows count, or the skip that stands for such a load."""

    load_seq: int
    file_name: str
    content_sha256: str
    row_parsed: int
    replay: bool = False


class Verdict(StrEnum):
    """What to do with a file that was read."""

    LOAD = "load"
    UNCHANGED = "unchanged"
    DUPLICATE = "duplicate"


@dataclass(frozen=True)
class Identity:
    """The verdict, the loads it supersedes, and the load it repeats."""

    verdict: Verdict
    supersedes: tuple[int, ...] = ()
    duplicate_of: int | None = None


def identify(file_name: str, content_sha256: str, live: Sequence[LiveLoad]) -> Identity:
    """Decide from a file's name and content and the pipe's live loads.

    A file without records is never a duplicate of another: an empty day is not the
    same fact as another empty day.
    """
    own = [load for load in live if load.file_name == file_name]
    if any(load.content_sha256 == content_sha256 for load in own if not load.replay):
        return Identity(Verdict.UNCHANGED)
    supersedes = tuple(load.load_seq for load in own)
    for load in live:
        same = load.content_sha256 == content_sha256 and not load.replay
        if same and load.file_name != file_name and load.row_parsed > 0:
            return Identity(Verdict.DUPLICATE, supersedes, load.load_seq)
    return Identity(Verdict.LOAD, supersedes)
