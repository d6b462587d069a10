"""The files that wait: a cache that a listing can always rebuild."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from snowmelt.landing.settle import Noticed, Sighting, sight, whole_at
from snowmelt.landing.stage import StagedFile
from snowmelt.pipe.batch import Pending
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.held import HeldFile
from snowmelt.pipe.history import Settled


@dataclass
class PendingFiles:
    """Settling files, and whole ones by pipe. Used by one thread.

    `paused`: pipes whose files wait, however many, until they are resumed. `held`:
    files that wait for a decision; another version of one is a file like any other.
    """

    pipes: Sequence[Pipe]
    settle: timedelta
    interrupted: dict[str, int] = field(default_factory=dict)
    unmatched: dict[str, StagedFile] = field(default_factory=dict)
    manifests: dict[str, StagedFile] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)
    held: Mapping[str, HeldFile] = field(default_factory=dict)
    _reloads: set[str] = field(default_factory=set)
    _settling: dict[str, tuple[Pipe, Sighting]] = field(default_factory=dict)
    _waiting: dict[str, Pending] = field(default_factory=dict)
    _loading: dict[str, Pending] = field(default_factory=dict)
    _suspects: set[str] = field(default_factory=set)
    _overtaken: set[str] = field(default_factory=set)
    _not_there: set[str] = field(default_factory=set)
    _on_record: set[str] = field(default_factory=set)
    """Names of which something may be on record already; all others are fresh."""

    def pipe_of(self, file_name: str) -> Pipe | None:
        """Return the one pipe whose pattern matches the file's path."""
        for pipe in self.pipes:
            if pipe.matches(file_name):
                return pipe
        return None

    def _is_manifest(self, file: StagedFile) -> bool:
        """Is this file a list of others that a pipe waits for?"""
        return any(
            pipe.wait_for is not None and pipe.wait_for.is_manifest(file.name)
            for pipe in self.pipes
        )

    def offer(
        self,
        files: Iterable[StagedFile],
        settled: dict[str, Settled],
        now: datetime,
        noticed: Noticed,
    ) -> list[str]:
        """Take files that were seen; those dealt with before are left out.

        A file that failed is offered again once its pipe's definition changed.
        Returns the files at which the last attempt did end, although a process was
        killed before it could say so.
        """
        ended = []
        for file in files:
            pipe = self.pipe_of(file.name) if file.loadable else None
            if pipe is None:
                others = self.manifests if self._is_manifest(file) else self.unmatched
                others[file.name] = file
                continue
            loading = self._loading.get(file.name)
            if loading is not None and loading.file != file:
                self._overtaken.add(file.name)
            known = settled.get(file.name)
            if self._is_kept_back(file, known, pipe):
                self._settling.pop(file.name, None)
                self._waiting.pop(file.name, None)
                if file.name in self.interrupted and file.name not in self._loading:
                    del self.interrupted[file.name]
                    ended.append(file.name)
                continue
            if known is not None:
                self._on_record.add(file.name)
            waiting = self._waiting.pop(file.name, None)
            if waiting is not None and waiting.file == file:
                self._waiting[file.name] = waiting
                continue
            before = self._settling.get(file.name)
            seen = sight(before[1] if before else None, file, now, noticed)
            self._settling[file.name] = (pipe, seen)
        return ended

    def dealt_with(self, rows: Iterable[Settled]) -> dict[str, tuple[int, int, int]]:
        """Return the (size, mtime_ns, ctime_ns) in which files need no offer.

        `rows` is what is known of them.
        """
        concerned = self._concerned()
        states = {}
        for known in rows:
            name, size, mtime_ns, ctime_ns, *_ = known
            pipe = None if name in concerned else self.pipe_of(name)
            if pipe is not None and _is_for_good(known, pipe):
                states[name] = size, mtime_ns, ctime_ns
        return states

    def _concerned(self) -> frozenset[str]:
        """Return the names of which more is known than load history tells."""
        return frozenset().union(
            *(self._settling, self._waiting, self._loading, self._reloads),
            *(self.held, self.interrupted),
        )

    def _is_kept_back(
        self, file: StagedFile, known: Settled | None, pipe: Pipe
    ) -> bool:
        """Is this version being loaded, held, or dealt with?"""
        held = self.held.get(file.name)
        if held is not None and held.holds(file, pipe.digest):
            return True
        if held is not None:
            self.release(file.name)
        if file.name in self._reloads:
            return file.name in self._loading
        return file.name in self._loading or is_settled(file, known, pipe)

    def hold(self, held: Sequence[HeldFile]) -> None:
        """These files wait for a decision from now on; it is on record already."""
        self.held = {**self.held, **{each.file_name: each for each in held}}
        for each in held:
            self.interrupted.pop(each.file_name, None)
            self._settling.pop(each.file_name, None)
            self._waiting.pop(each.file_name, None)

    def release(self, name: str) -> None:
        """This file was decided about: the next listing offers it, if it is due."""
        self.held = {key: each for key, each in self.held.items() if key != name}
        self._on_record.add(name)

    def clock_went_back(self, now: datetime) -> None:
        """No file was first seen later than now: waits are counted from now."""
        for name, (pipe, seen) in self._settling.items():
            seen_at = min(seen.seen_at, now)
            self._settling[name] = (pipe, replace(seen, seen_at=seen_at))
        for name, each in self._waiting.items():
            self._waiting[name] = replace(each, since=min(each.since, now))

    def rested(self, now: datetime) -> list[StagedFile]:
        """Return the files whose rest is over: look at them once more."""
        return [
            seen.file
            for _, seen in self._settling.values()
            if whole_at(seen, self.settle) <= now
        ]

    def promote(self, file: StagedFile, now: datetime) -> None:
        """A rested file was looked at again and had not changed: it is whole."""
        name = file.name
        pipe, seen = self._settling.pop(name)
        interrupted = self.interrupted.get(name, 0)
        alone, reload = name in self._suspects, name in self._reloads
        fresh = not (interrupted or alone or reload or name in self._on_record)
        self._waiting[name] = Pending(
            file, pipe.name, seen.seen_at, interrupted, alone, reload, fresh
        )

    def ask_reload(self, names: Iterable[str]) -> None:
        """These files are to be loaded although they are: offer them next."""
        for name in names:
            self._reloads.add(name)
            self._waiting.pop(name, None)

    def forget(self, name: str) -> None:
        """The file is gone from the stage."""
        self._settling.pop(name, None)
        self._waiting.pop(name, None)
        self.unmatched.pop(name, None)
        self.manifests.pop(name, None)
        self._reloads.discard(name)

    def keep_only(self, names: set[str]) -> None:
        """A listing was made: files that it does not show are gone."""
        self._not_there = set(self.held) - names
        for known in (self._settling, self._waiting, self.unmatched, self.manifests):
            for name in [name for name in known if name not in names]:
                self.forget(name)

    def has(self, name: str) -> bool:
        """Is anything about this file still to be done?

        While its pipe is paused nothing is; when it is resumed a listing finds it.
        """
        waiting = self._waiting.get(name)
        if waiting is not None:
            return waiting.pipe_name not in self.paused
        return name in self._settling or name in self._loading

    def waiting(self, pipe_name: str) -> list[Pending]:
        """Return the whole files of one pipe to load next; none of a paused one."""
        if pipe_name in self.paused:
            return []
        return [each for each in self._waiting.values() if each.pipe_name == pipe_name]

    def begin(self, batch: Iterable[Pending]) -> None:
        """These files are being loaded now."""
        for each in batch:
            self._loading[each.file.name] = self._waiting.pop(each.file.name)

    def end(self, batch: Iterable[Pending], again: Container[str] = ()) -> set[str]:
        """The load of these files is over, however it ended; some go on `again`.

        Returns those of which another version was seen meanwhile.
        """
        overtaken = set()
        for each in batch:
            if each.file.name in self._overtaken:
                self._overtaken.discard(each.file.name)
                overtaken.add(each.file.name)
            self._loading.pop(each.file.name, None)
            self.interrupted.pop(each.file.name, None)
            self._suspects.discard(each.file.name)
            if each.file.name not in again:
                self._reloads.discard(each.file.name)
                self._on_record.discard(each.file.name)
            else:
                self._on_record.add(each.file.name)
        return overtaken

    @property
    def count(self) -> int:
        """How many files wait, settle or load, those of paused pipes left out."""
        settling = sum(
            pipe.name not in self.paused for pipe, _ in self._settling.values()
        )
        return settling + self.to_load

    @property
    def to_load(self) -> int:
        """How many whole files wait or load, those of paused pipes left out."""
        waiting = sum(
            each.pipe_name not in self.paused for each in self._waiting.values()
        )
        return waiting + len(self._loading)

    def suspect(self, batch: Iterable[Pending]) -> None:
        """The copy of these files failed as a whole: from now on each goes alone."""
        self._suspects |= {each.file.name for each in batch}

    def killed(self, each: Pending) -> None:
        """Another attempt at this file was cut off."""
        self.interrupted[each.file.name] = each.interrupted + 1

    def next_rest(self) -> datetime | None:
        """Return when the next settling file will have rested."""
        return min(
            (whole_at(seen, self.settle) for _, seen in self._settling.values()),
            default=None,
        )

    def states(self) -> list[dict[str, object]]:
        """Return (file_name, pipe_name, state, since) of all that is pending."""
        settling = [
            (seen.file.name, pipe.name, "settling", seen.seen_at)
            for pipe, seen in self._settling.values()
        ]
        others = [
            (each.file.name, each.pipe_name, state, each.since)
            for state, known in (("waiting", self._waiting), ("loading", self._loading))
            for each in known.values()
        ]
        others += [
            (each.file_name, each.pipe_name, "held", each.held_at)
            for each in self.held.values()
            if each.file_name not in self._not_there
        ]
        keys = ("file_name", "pipe_name", "state", "since")
        return [
            dict(zip(keys, values, strict=True))
            for values in sorted([*settling, *others], key=lambda each: each[0])
        ]


def is_settled(file: StagedFile, known: Settled | None, pipe: Pipe) -> bool:
    """Was this version of a file dealt with by this pipe, for good?"""
    if known is None or (known.size, known.mtime_ns, known.ctime_ns) != (
        file.size,
        file.mtime_ns,
        file.ctime_ns,
    ):
        return False
    return _is_for_good(known, pipe)


def _is_for_good(known: Settled, pipe: Pipe) -> bool:
    """Was what is known of a file dealt with by this pipe, for good?

    One that failed is tried again once its pipe reads files in another way, unless
    the pipe has Snowpipe's rules: then only when a person asks.
    """
    if known.pipe_name != pipe.name:
        return False
    same = known.pipe_digest == pipe.digest or pipe.snowpipe_compat
    return known.settled != "Load failed" or same
