"""The files that wait: a cache that a listing can always rebuild."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from snowmelt.landing.settle import Noticed, Sighting, sight, whole_at
from snowmelt.landing.stage import StagedFile
from snowmelt.pipe.batch import Pending
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.history import Settled


@dataclass
class PendingFiles:
    """Settling files, and whole ones by pipe. Used by one thread.

    `paused`: pipes whose files wait, however many, until they are resumed.
    """

    pipes: Sequence[Pipe]
    settle: timedelta
    interrupted: dict[str, int] = field(default_factory=dict)
    unmatched: dict[str, StagedFile] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)
    _reloads: set[str] = field(default_factory=set)
    _settling: dict[str, tuple[Pipe, Sighting]] = field(default_factory=dict)
    _waiting: dict[str, Pending] = field(default_factory=dict)
    _loading: dict[str, Pending] = field(default_factory=dict)
    _suspects: set[str] = field(default_factory=set)

    def pipe_of(self, file_name: str) -> Pipe | None:
        """Return the one pipe whose pattern matches the file's path."""
        return next((pipe for pipe in self.pipes if pipe.matches(file_name)), None)

    def offer(
        self,
        files: Iterable[StagedFile],
        settled: dict[str, Settled],
        now: datetime,
        noticed: Noticed,
    ) -> None:
        """Take files that were seen; those dealt with before are left out.

        A file that failed is offered again once its pipe's definition changed.
        """
        for file in files:
            pipe = self.pipe_of(file.name) if file.loadable else None
            if pipe is None:
                self.unmatched[file.name] = file
                continue
            if file.name in self._loading or (
                file.name not in self._reloads
                and _is_settled(file, settled.get(file.name), pipe)
            ):
                self._settling.pop(file.name, None)
                self._waiting.pop(file.name, None)
                continue
            waiting = self._waiting.pop(file.name, None)
            if waiting is not None and waiting.file == file:
                self._waiting[file.name] = waiting
                continue
            before = self._settling.get(file.name)
            seen = sight(before[1] if before else None, file, now, noticed)
            self._settling[file.name] = (pipe, seen)

    def rested(self, now: datetime) -> list[StagedFile]:
        """Return the files whose rest is over: look at them once more."""
        return [
            seen.file
            for _, seen in self._settling.values()
            if whole_at(seen, self.settle) <= now
        ]

    def promote(self, file: StagedFile, now: datetime) -> None:
        """A rested file was looked at again and had not changed: it is whole."""
        pipe, seen = self._settling.pop(file.name)
        self._waiting[file.name] = Pending(
            file,
            pipe.name,
            seen.seen_at,
            self.interrupted.get(file.name, 0),
            file.name in self._suspects,
            file.name in self._reloads,
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
        self._reloads.discard(name)

    def keep_only(self, names: set[str]) -> None:
        """A listing was made: files that it does not show are gone."""
        for known in (self._settling, self._waiting, self.unmatched):
            for name in [name for name in known if name not in names]:
                self.forget(name)

    def has(self, name: str) -> bool:
        """Is anything about this file still to be done?"""
        return any(
            name in known for known in (self._settling, self._waiting, self._loading)
        )

    def waiting(self, pipe_name: str) -> list[Pending]:
        """Return the whole files of one pipe to load next; none of a paused one."""
        if pipe_name in self.paused:
            return []
        return [each for each in self._waiting.values() if each.pipe_name == pipe_name]

    def begin(self, batch: Iterable[Pending]) -> None:
        """These files are being loaded now."""
        for each in batch:
            self._loading[each.file.name] = self._waiting.pop(each.file.name)

    def end(self, batch: Iterable[Pending]) -> None:
        """The load of these files is over, however it ended."""
        for each in batch:
            self._loading.pop(each.file.name, None)
            self.interrupted.pop(each.file.name, None)
            self._suspects.discard(each.file.name)
            self._reloads.discard(each.file.name)

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
        keys = ("file_name", "pipe_name", "state", "since")
        return [
            dict(zip(keys, values, strict=True))
            for values in sorted([*settling, *others], key=lambda each: each[0])
        ]


def _is_settled(file: StagedFile, known: Settled | None, pipe: Pipe) -> bool:
    if known is None or (known.size, known.mtime_ns, known.ctime_ns) != (
        file.size,
        file.mtime_ns,
        file.ctime_ns,
    ):
        return False
    if known.pipe_name != pipe.name:
        return False
    same = known.pipe_digest == pipe.digest or pipe.snowpipe_compat
    return known.settled != "Load failed" or same
