"""Is this file new? The rules of identity, as a table of values.

A file is compared with the live loads of its pipe: those that no later load
superseded. Same path, same bytes: nothing to load, whatever the rules. Same path,
other bytes: by default the new version supersedes. Another path, same bytes: by
default a duplicate. So A, then B, then A again under one name are three versions.

Of a pipe of snapshots each file is the whole truth: the newest one supersedes all
others, and one that comes after a newer one is superseded as it is loaded.

Snowpipe's own rules look at the path alone, and forget it after 14 days
(https://docs.snowflake.com/en/user-guide/data-load-snowpipe-intro).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

REGISTERED_FOR = timedelta(days=14)
"""How long Snowpipe knows a file by its path."""


class SameName(StrEnum):
    """What another content under a name that is loaded means."""

    SUPERSEDE = "supersede"
    APPEND = "append"
    IGNORE = "ignore"


class SameContent(StrEnum):
    """What content that is loaded under another name means."""

    SKIP = "skip"
    LOAD = "load"
    WARN = "warn"


@dataclass(frozen=True)
class IdentityRules:
    """What a pipe says about files that are like others."""

    same_name: SameName = SameName.SUPERSEDE
    same_content: SameContent = SameContent.SKIP
    snowpipe_compat: bool = False
    snapshot: bool = False

    @property
    def compares_content(self) -> bool:
        """Does it matter whether another file has the same bytes?"""
        if self.snowpipe_compat or self.snapshot:
            return False
        return self.same_content is not SameContent.LOAD


USUAL = IdentityRules()


@dataclass(frozen=True)
class LiveLoad:
    """A load whose rows count, or the skip that stands for such a load.

    `ignored`: a version that was not loaded because its name was. `failed` loads and
    `loaded_at` are asked for under Snowpipe's rules alone, `version_at` of snapshots.
    """

    load_seq: int
    file_name: str
    content_sha256: str | None
    row_parsed: int
    replay: bool = False
    ignored: bool = False
    failed: bool = False
    loaded_at: datetime | None = None
    version_at: datetime | None = None


class Verdict(StrEnum):
    """What to do with a file that was read."""

    LOAD = "load"
    UNCHANGED = "unchanged"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"


@dataclass(frozen=True)
class Identity:
    """The verdict, the loads it supersedes, and the load it repeats.

    `repeats`: the file is loaded although this load has the same bytes, and the pipe
    wants to be warned. `reason`: why a version is ignored. `superseded_by`: the newer
    snapshot that is loaded already.
    """

    verdict: Verdict
    supersedes: tuple[int, ...] = ()
    duplicate_of: int | None = None
    repeats: int | None = None
    reason: str | None = None
    superseded_by: int | None = None


@dataclass(frozen=True)
class Arrival:
    """A file that was read: its name, its content, when, and if it is asked for again.

    `at` is the time of the decision, which Snowpipe's rules need. `reload`: a person
    wants it loaded although it is loaded. `version_at`: the date it is about.
    """

    file_name: str
    content_sha256: str
    at: datetime | None = None
    reload: bool = False
    version_at: datetime | None = None


def identify(
    arrival: Arrival, live: Sequence[LiveLoad], rules: IdentityRules = USUAL
) -> Identity:
    """Decide from a file's name and content and the pipe's live loads.

    A file without records is never a duplicate of another: an empty day is not the
    same fact as another empty day. A reload supersedes every load of its name,
    whatever the rules; content that is loaded under another name stays a duplicate.
    """
    own = [load for load in live if load.file_name == arrival.file_name]
    if rules.snapshot:
        return _by_snapshot(arrival, live)
    if rules.snowpipe_compat:
        return _by_path(arrival, own)
    return _by_content(arrival, own, live, rules)


def _by_content(
    arrival: Arrival,
    own: Sequence[LiveLoad],
    live: Sequence[LiveLoad],
    rules: IdentityRules,
) -> Identity:
    """Decide by what is in the file, and by what the pipe says of likeness."""
    versions = [load for load in own if not load.ignored]
    if not arrival.reload:
        if _has_content(versions, arrival):
            return Identity(Verdict.UNCHANGED)
        if versions and rules.same_name is SameName.IGNORE:
            told = "on_same_name_changed is ignore"
            return _ignored(arrival, own, versions[-1], told)
    supersedes = tuple(load.load_seq for load in own)
    if versions and rules.same_name is SameName.APPEND and not arrival.reload:
        supersedes = ()
    twin = _twin(arrival, live)
    if twin is None or rules.same_content is SameContent.LOAD:
        return Identity(Verdict.LOAD, supersedes)
    if rules.same_content is SameContent.WARN:
        return Identity(Verdict.LOAD, supersedes, repeats=twin.load_seq)
    return Identity(Verdict.DUPLICATE, supersedes, twin.load_seq)


def _by_snapshot(arrival: Arrival, live: Sequence[LiveLoad]) -> Identity:
    """Decide for a file that is the whole truth; equal dates: the last one is."""
    same = [load for load in _files(live) if load.file_name == arrival.file_name]
    if not arrival.reload and _has_content(same, arrival):
        return Identity(Verdict.UNCHANGED)
    newer = [
        load
        for load in live
        if load not in same
        and load.version_at is not None
        and arrival.version_at is not None
        and load.version_at > arrival.version_at
    ]
    if newer:
        latest = max(newer, key=_seq).load_seq
        older = tuple(load.load_seq for load in live if load not in newer)
        return Identity(Verdict.LOAD, older, superseded_by=latest)
    return Identity(Verdict.LOAD, tuple(load.load_seq for load in live))


def _by_path(arrival: Arrival, own: Sequence[LiveLoad]) -> Identity:
    """Decide as Snowpipe does: a path is known for 14 days, loaded or failed."""
    if arrival.reload:
        return Identity(
            Verdict.LOAD, tuple(load.load_seq for load in own if not load.failed)
        )
    registered = [
        load
        for load in _files(own)
        if not load.ignored and _is_registered(load, arrival.at)
    ]
    if not registered:
        return Identity(Verdict.LOAD)
    if registered[-1].content_sha256 == arrival.content_sha256:
        return Identity(Verdict.UNCHANGED)
    return _ignored(
        arrival, own, registered[-1], "snowpipe_compat knows a name for 14 days"
    )


def _is_registered(load: LiveLoad, at: datetime | None) -> bool:
    if at is None or load.loaded_at is None:
        return True
    return at - load.loaded_at < REGISTERED_FOR


def _ignored(
    arrival: Arrival, own: Sequence[LiveLoad], known: LiveLoad, told: str
) -> Identity:
    """Leave a version out; one that was left out before is not recorded twice."""
    newest = max((load for load in own if load.ignored), key=_seq, default=None)
    after = newest is not None and newest.load_seq > known.load_seq
    if after and newest and newest.content_sha256 == arrival.content_sha256:
        return Identity(Verdict.UNCHANGED)
    ended = "failed" if known.failed else "has another version of this file"
    return Identity(
        Verdict.IGNORED, reason=f"not loaded: load {known.load_seq} {ended}, and {told}"
    )


def _has_content(loads: Sequence[LiveLoad], arrival: Arrival) -> bool:
    return any(load.content_sha256 == arrival.content_sha256 for load in _files(loads))


def _seq(load: LiveLoad) -> int:
    return load.load_seq


def _files(loads: Sequence[LiveLoad]) -> list[LiveLoad]:
    """Leave replays out: their bytes are no file's."""
    return [load for load in loads if not load.replay]


def _twin(arrival: Arrival, live: Sequence[LiveLoad]) -> LiveLoad | None:
    """Return the first live load of the same records under another name."""
    for load in _files(live):
        same = load.content_sha256 == arrival.content_sha256 and load.row_parsed > 0
        if same and load.file_name != arrival.file_name:
            return load
    return None
