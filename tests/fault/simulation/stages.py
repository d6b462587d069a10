"""The stage as an edge: a bucket in memory, or a real folder; both may fail."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from simulation.contents import FileContent
from simulation.world import World
from snowmelt.errors import ChangedError, UnreachableError
from snowmelt.landing.folder import LocalFolder
from snowmelt.landing.s3_version import StagedVersion, staged_version
from snowmelt.landing.stage import (
    KnownStates,
    Notifications,
    StagedFile,
    nothing_known,
)

Lying = dict[str, tuple[bytes, StagedFile]]
Kind = Literal["placed", "finished", "seen"]


class FaultyStage(ABC):
    """A stage whose every call is a moment, and that users change at any of them."""

    places_whole = False
    location = "the stage"
    channel = None

    def __init__(self, world: World) -> None:
        self._world = world
        self.unreadable: list[str] = []
        self.away = False
        """Nothing of it can be reached."""
        self.missed: set[str] = set()
        """What some listing did not show although it was there."""
        self.listings = 0
        self._stamps = 0

    # -- what users do --

    @abstractmethod
    def put(self, name: str, content: FileContent, *, whole: bool = True) -> None:
        """Put a file in; not whole: written where it lies, under its own name."""

    @abstractmethod
    def rename(self, old: str, new: str) -> None: ...

    @abstractmethod
    def delete(self, name: str) -> None: ...

    @abstractmethod
    def touch(self, name: str) -> None: ...

    @abstractmethod
    def lying(self) -> Lying:
        """Return what is really there: bytes and state, by name."""

    @abstractmethod
    def leave(self) -> None:
        """Become unreachable."""

    @abstractmethod
    def come_back(self) -> None:
        """Be reachable again."""

    def _note(self, name: str, content: FileContent) -> None:
        self._world.contents[content.sha256] = content
        self._world.placed.add((name, content.sha256))

    def _note_as(self, name: str, raw: bytes) -> None:
        self._world.placed.add((name, hashlib.sha256(raw).hexdigest()))

    def _stamp(self) -> int:
        """Draw a time of modification, in ns, that no other file has."""
        self._stamps += 1
        age = self._world.rng.choice([0, 0, 0, 3, 86_400, -30])
        now = self._world.clock.now().timestamp() - age
        return int(now) * 1_000_000_000 + self._stamps * 1000

    # -- the port --

    def refresh(self, known: KnownStates = nothing_known) -> list[StagedFile]:
        self._world.moment("list")
        found = self._list(known)
        self.listings += 1
        missed = self._world.chances.missed
        left_out = {file.name for file in found if self._world.chance(missed)}
        if left_out:
            self._world.tell(f"the listing misses {sorted(left_out)}")
        self.missed |= left_out
        shown = [file for file in found if file.name not in left_out]
        self._world.moment(f"listed {len(shown)}")
        return sorted(shown, key=lambda file: (file.mtime_ns, file.name))

    @abstractmethod
    def _list(self, known: KnownStates) -> list[StagedFile]: ...

    def look(self, name: str) -> StagedFile | None:
        self._world.moment(f"look at {name}")
        return self._look(name)

    def looks(self, names: Sequence[str]) -> Mapping[str, StagedFile | None]:
        return {name: self.look(name) for name in names}

    @abstractmethod
    def _look(self, name: str) -> StagedFile | None: ...

    def chunks(self, file: StagedFile) -> Iterator[bytes]:
        self._world.moment(f"open {file.name}")
        raw = self.lying().get(file.name, (b"", file))[0]
        known = self._world.contents.get(hashlib.sha256(raw).hexdigest())
        if known is not None and known.poison:
            self._world.crash(f"poison in {file.name}")
        for piece in self._pieces(file):
            yield piece
            self._world.moment(f"a piece of {file.name}")

    @abstractmethod
    def _pieces(self, file: StagedFile) -> Iterator[bytes]: ...

    def watch(self, wake: Callable[[], None]) -> None:  # noqa: B027
        """News is brought by steps of the simulation."""

    def unwatch(self) -> None:  # noqa: B027
        """No thread has to be ended."""

    def tag(self, file: StagedFile, tags: Mapping[str, str]) -> None:
        raise NotImplementedError


class FakeBucket(FaultyStage):
    """Objects in memory: whole at once, and known by their ETags."""

    places_whole = True
    location = "s3://simulated"

    def __init__(self, world: World, tell_put: Callable[[str, int], None]) -> None:
        super().__init__(world)
        self._objects: dict[str, tuple[bytes, StagedVersion]] = {}
        self._tell_put = tell_put
        self.puts: dict[str, int] = {}
        """Which put brought what lies there, by name."""
        self.notify: Callable[[], Notifications] = Notifications
        self.let_go: Callable[[Callable[[str], bool]], None] = lambda _: None

    def put(self, name: str, content: FileContent, *, whole: bool = True) -> None:
        self._note(name, content)
        self._put(name, content.raw)

    def _put(self, name: str, raw: bytes) -> None:
        at = datetime.fromtimestamp(self._world.clock.now().timestamp(), UTC)
        etag = hashlib.sha256(raw).hexdigest()[:32]
        self._note_as(name, raw)
        version = staged_version(name, len(raw), at, etag)
        self._objects[name] = raw, version
        self._stamps += 1
        self.puts[name] = self._stamps
        self._tell_put(name, self._stamps)

    def rename(self, old: str, new: str) -> None:
        """Copy, then delete: a bucket knows no renaming."""
        self._put(new, self._objects[old][0])
        if new != old:
            self.delete(old)

    def delete(self, name: str) -> None:
        del self._objects[name], self.puts[name]

    def touch(self, name: str) -> None:
        self._put(name, self._objects[name][0])

    def lying(self) -> Lying:
        return dict(self._objects)

    def leave(self) -> None:
        self.away = True

    def come_back(self) -> None:
        self.away = False

    def _reach(self) -> None:
        if self.away:
            raise UnreachableError(self.location, "it cannot be reached")

    def _list(self, known: KnownStates) -> list[StagedFile]:
        self._reach()
        states = known(list(self._objects))
        return [
            file
            for _, file in self._objects.values()
            if states.get(file.name) != (file.size, file.mtime_ns, file.ctime_ns)
        ]

    def _look(self, name: str) -> StagedFile | None:
        self._reach()
        return self._objects.get(name, (b"", None))[1]

    def _pieces(self, file: StagedFile) -> Iterator[bytes]:
        """Yield the version that was there when it was asked for, or break off."""
        self._reach()
        raw, state = self._objects.get(file.name, (b"", None))
        if state != file:
            raise ChangedError(file.name, "it changed while it was read")
        size = self._world.rng.randint(5, 40)
        for start in range(0, len(raw), size):
            if self._world.chance(self._world.chances.broken_chunk):
                self._world.tell(f"{file.name} breaks off")
                raise UnreachableError(self.location, "the answer ended early")
            yield raw[start : start + size]

    def path(self, name: str) -> Path | None:
        return None

    def notified(self) -> Notifications:
        return self.notify()

    def acknowledge(self, is_pending: Callable[[str], bool]) -> None:
        self.let_go(is_pending)

    def remove(self, file: StagedFile) -> None:
        self._world.moment(f"remove {file.name}")
        self._reach()
        if self._objects.get(file.name, (b"", None))[1] == file:
            self.delete(file.name)

    def archive(self, file: StagedFile, folder: str) -> None:
        self.remove(file)


class FaultyFolder(FaultyStage):
    """A real folder behind the real code; its events come late, twice or never."""

    def __init__(self, world: World, root: Path) -> None:
        super().__init__(world)
        self.location = "the folder"
        self._root = root
        self._elsewhere = root.with_name("landing.away")
        self._inner = LocalFolder(root)
        self._events: list[tuple[Kind, str]] = []

    @property
    def _real(self) -> Path:
        return self._elsewhere if self.away else self._root

    def put(self, name: str, content: FileContent, *, whole: bool = True) -> None:
        self._note(name, content)
        path = self._real / name
        target = self._real / ".arriving.tmp" if whole else path
        is_new = not path.exists()
        target.write_bytes(content.raw)
        stamp = self._stamp()
        os.utime(target, ns=(stamp, stamp))
        if whole:
            target.rename(path)
            self._event("placed", name)
        else:
            if is_new:
                self._event("seen", name)
            self._event("finished", name)

    def rename(self, old: str, new: str) -> None:
        self._note_as(new, (self._real / old).read_bytes())
        (self._real / old).rename(self._real / new)
        self._event("placed", new)

    def delete(self, name: str) -> None:
        (self._real / name).unlink()

    def touch(self, name: str) -> None:
        stamp = self._stamp()
        os.utime(self._real / name, ns=(stamp, stamp))

    def lying(self) -> Lying:
        inner = LocalFolder(self._real)
        found = {file.name: file for file in inner.refresh()}
        return {
            name: ((self._real / name).read_bytes(), found[name])
            for name in sorted(found)
        }

    def leave(self) -> None:
        if not self.away:
            self._root.rename(self._elsewhere)
        self.away = True

    def come_back(self) -> None:
        if self.away:
            self._elsewhere.rename(self._root)
        self.away = False

    def _event(self, kind: Kind, name: str) -> None:
        chances = self._world.chances
        if self._world.chance(chances.dropped):
            self._world.tell(f"nobody hears of {name}")
            return
        self._events.append((kind, name))
        if self._world.chance(chances.repeated):
            self._events.append((kind, name))

    def deliver(self) -> None:
        """Let some of the events be heard, in any order."""
        for _ in range(self._world.rng.randint(1, 3)):
            if self._events:
                place = self._world.rng.randrange(len(self._events))
                kind, name = self._events.pop(place)
                self._world.tell(f"heard: {kind} {name}")
                self._inner.hint(str(self._root / name), kind)

    def forget_events(self) -> None:
        """Nobody listened: what happened is not told later."""
        self._events.clear()

    def _list(self, known: KnownStates) -> list[StagedFile]:
        return self._inner.refresh(known)

    def _look(self, name: str) -> StagedFile | None:
        return self._inner.look(name)

    def _pieces(self, file: StagedFile) -> Iterator[bytes]:
        for chunk in self._inner.chunks(file):
            size = self._world.rng.randint(5, 40)
            for start in range(0, len(chunk), size):
                yield chunk[start : start + size]

    def path(self, name: str) -> Path:
        return self._inner.path(name)

    def notified(self) -> Notifications:
        self._world.moment("what was noticed")
        if self._world.chance(self._world.chances.dropped / 10):
            self._inner.hint_lost()
        return self._inner.notified()

    def acknowledge(self, is_pending: Callable[[str], bool]) -> None:
        self._inner.acknowledge(is_pending)

    def remove(self, file: StagedFile) -> None:
        self._world.moment(f"remove {file.name}")
        self._inner.remove(file)

    def archive(self, file: StagedFile, folder: str) -> None:
        self._world.moment(f"archive {file.name}")
        self._inner.archive(file, folder)
