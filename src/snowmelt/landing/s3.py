"""A bucket as a stage: listed whole, hinted at by a queue, read by version.

Keys are never paths of this machine.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

from snowmelt.aws import PreconditionError, calling, list_keys
from snowmelt.clock import Clock
from snowmelt.errors import ChangedError, ConfigError, UnreachableError
from snowmelt.landing.config import LandingConfig
from snowmelt.landing.queue import POLL_SECONDS, QueueListener
from snowmelt.landing.s3_client import BucketClient, if_match, open_aws
from snowmelt.landing.s3_event import name_of
from snowmelt.landing.s3_version import StagedVersion, is_marker, staged_version
from snowmelt.landing.stage import (
    Channel,
    KnownStates,
    Notifications,
    StagedFile,
    nothing_known,
)

# One request asks for no more than this, so that its time has a limit.
RANGE_BYTES_MAX = 1 << 25
TRIES_MAX = 5
LOOKS_MAX = 16
LOOK_SECONDS = 5.0
COPY_BYTES_MAX = 5 << 30


class S3Stage:
    """The objects below a prefix of a bucket. Safe to use from several threads."""

    def __init__(
        self, config: LandingConfig, clock: Clock, *, poll_seconds: int | None = None
    ) -> None:
        where = config.bucket_path
        if where is None:
            raise ConfigError("landing.path", f"'{config.path}' is no bucket")
        self.location = str(where)
        self.places_whole = True
        self.unreadable: list[str] = []
        self._where = where
        self._clock = clock
        self._aws = open_aws(config, clock)
        self._bucket = BucketClient(self._aws, config, where)
        self._client = self._bucket.client
        self._listener: QueueListener | None = None
        if config.queue:
            seconds = poll_seconds or POLL_SECONDS
            self._listener = QueueListener(self._aws, where, config, clock, seconds)

    @property
    def channel(self) -> Channel | None:
        """Return how the queue is doing, if there is one."""
        return self._listener.channel if self._listener else None

    def refresh(self, known: KnownStates = nothing_known) -> list[StagedFile]:
        """List every object whose name says it is meant for loading.

        Raises UnreachableError when a page of the listing cannot be had.
        """
        found: list[StagedFile] = []
        for page in list_keys(self._client, self._where.bucket, self._where.prefix):
            for each in page:
                name = name_of(each.key, self._where.prefix)
                if name is not None and not is_marker(name, each.size):
                    found.append(
                        staged_version(name, each.size, each.modified_at, each.etag)
                    )
        states = known([file.name for file in found])
        return sorted(
            (
                file
                for file in found
                if states.get(file.name) != (file.size, file.mtime_ns, file.ctime_ns)
            ),
            key=lambda file: file.mtime_ns,
        )

    def look(self, name: str) -> StagedVersion | None:
        """Look at one object again; what breaks off at once is tried again.

        A batch looks at all its objects: one broken connection must not undo it.
        """
        until, failures = self._clock.monotonic() + LOOK_SECONDS, 0
        while True:
            try:
                found = self._bucket.head(name)
            except FileNotFoundError:
                return None
            except UnreachableError:
                failures += 1
                if self._clock.monotonic() >= until:
                    raise
                self._clock.wait(threading.Event(), 0.05 * 2**failures)
            else:
                return None if is_marker(name, found.size) else found

    def looks(self, names: Sequence[str]) -> dict[str, StagedVersion | None]:
        """Look at many files at once, in the time of a few."""
        asked = list(names)
        with ThreadPoolExecutor(LOOKS_MAX, "look") as threads:
            return dict(zip(asked, threads.map(self.look, asked), strict=True))

    def path(self, name: str) -> Path | None:
        return None

    def chunks(self, file: StagedFile) -> Iterator[bytes]:
        """Yield this version of an object from front to back, whole or not at all.

        What is cut on the way is gone on with where it was cut. Raises ChangedError
        when the object is gone or another version, UnreachableError when it cannot
        be had after several tries without a byte.
        """
        this = self._version(file)
        if this.size == 0 and self.look(this.name) != this:
            raise _changed(this)
        at, failures = 0, 0
        while at < this.size:
            before, problem = at, "the answer ended early"
            try:
                for piece in self._read(this, at):
                    at += len(piece)
                    yield piece
            except (FileNotFoundError, PreconditionError):
                raise _changed(this) from None
            except UnreachableError as error:
                problem = error.problem
            if at > before:
                failures = 0
                continue
            failures += 1
            if failures >= TRIES_MAX:
                raise UnreachableError(f"{self.location}/{this.name}", problem)
            self._clock.wait(threading.Event(), 0.1 * 2**failures)

    def remove(self, file: StagedFile) -> None:
        """Delete an object if it still is this version.

        In a bucket with versions a delete marker is placed: deleting the version
        itself would bring back the one before it, as if it were new.
        """
        this = self._version(file)
        if self.look(this.name) != this:
            return
        try:
            with calling(self.location):
                self._client.delete_object(
                    **self._bucket.address(this.name), **if_match(this)
                )
        except (FileNotFoundError, PreconditionError):
            return

    def archive(self, file: StagedFile, folder: str) -> None:
        """Copy an object below `folder` of the stage, then delete it here.

        Another one that lies there under its name is kept, under its own; the same
        content lies there after an archiving that was interrupted.
        """
        this = self._version(file)
        if self.look(this.name) != this:
            return
        if not self._copy(this, f"{folder.strip('/')}/{this.name}"):
            return
        self.remove(this)

    def _copy(self, this: StagedVersion, target: str) -> bool:
        """Copy this version to the first free name; False when it is gone."""
        for number in count(1):
            name = target if number == 1 else f"{target}.{number}"
            there = self.look(name)
            if there is not None and (there.etag, there.size) == (this.etag, this.size):
                return True
            if there is None:
                break
        origin = self._bucket.address(this.name)
        condition = {"CopySourceIfMatch": f'"{this.etag}"'} if this.etag else {}
        try:
            with calling(self.location):
                if this.size < COPY_BYTES_MAX:
                    self._client.copy_object(
                        CopySource=origin, **self._bucket.address(name), **condition
                    )
                else:
                    self._client.copy(
                        origin,
                        *self._bucket.address(name).values(),
                        ExtraArgs=condition,
                    )
        except (FileNotFoundError, PreconditionError):
            return False
        return True

    def tag(self, file: StagedFile, tags: Mapping[str, str]) -> None:
        """Add tags to an object; those it has under other names stay."""
        this = self._version(file)
        found = self.look(this.name)
        if found is None or found != this:
            return
        where = self._bucket.address(this.name)
        if found.version_id:
            where["VersionId"] = found.version_id
        with calling(self.location):
            said = self._client.get_object_tagging(**where)["TagSet"]
            merged = {each["Key"]: each["Value"] for each in said} | dict(tags)
            pairs = [{"Key": key, "Value": value} for key, value in merged.items()]
            self._client.put_object_tagging(**where, Tagging={"TagSet": pairs})

    def watch(self, wake: Callable[[], None]) -> None:
        """Begin to receive from the queue; without one, listings find all."""
        if self._listener is not None:
            self._listener.start(wake)

    def unwatch(self) -> None:
        if self._listener is not None:
            self._listener.stop()

    def notified(self) -> Notifications:
        names = self._listener.take() if self._listener is not None else set[str]()
        return Notifications(placed=names)

    def acknowledge(self, is_pending: Callable[[str], bool]) -> None:
        if self._listener is not None:
            self._listener.acknowledge(is_pending)

    def _version(self, file: StagedFile) -> StagedVersion:
        """Return the file with its ETag. Raises ChangedError."""
        if isinstance(file, StagedVersion):
            return file
        found = self.look(file.name)
        if found is None or (found.size, found.mtime_ns, found.ctime_ns) != (
            file.size,
            file.mtime_ns,
            file.ctime_ns,
        ):
            raise _changed(file)
        return found

    def _read(self, this: StagedVersion, start: int) -> Iterator[bytes]:
        """Yield from one byte on, to the end or some megabytes further.

        Raises FileNotFoundError, PreconditionError, UnreachableError.
        """
        end = min(start + RANGE_BYTES_MAX, this.size)
        left = end - start
        for piece in self._bucket.read(this, start, end):
            left -= len(piece)
            if left < 0:
                raise PreconditionError(this.name)
            yield piece


def _changed(file: StagedFile) -> ChangedError:
    return ChangedError(file.name, "it changed while it was read")
