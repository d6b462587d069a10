"""A bucket as a stage: listed whole, hinted at by a queue, read by version.

Keys are never paths of this machine. Most are read through a fast client that cannot
address every key a bucket may hold ('..', an empty part, a control character); those
take the slower client.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from snowmelt.aws import (
    INSTALL,
    NOT_INSTALLED,
    Aws,
    PreconditionError,
    calling,
    list_objects,
)
from snowmelt.clock import Clock
from snowmelt.errors import ChangedError, ConfigError, UnreachableError
from snowmelt.landing.config import BucketPath, LandingConfig
from snowmelt.landing.queue import QueueListener, QueueState
from snowmelt.landing.s3_event import name_of
from snowmelt.landing.s3_object import (
    StagedObject,
    is_marker,
    is_plain,
    staged_object,
)
from snowmelt.landing.stage import Notifications, StagedFile

if TYPE_CHECKING:
    from obstore.store import S3Store

CHUNK = 1 << 18
# One request asks for no more than this, so that its time has a limit.
RANGE_BYTES_MAX = 1 << 25
TRIES_MAX = 5
LOOKS_MAX = 16
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
        self._aws = Aws(
            clock,
            endpoint=config.endpoint,
            region=config.region,
            profile=config.profile,
        )
        self._client = self._aws.s3()
        self._store = open_store(self._aws, self._client, where, config)
        self._listener: QueueListener | None = None
        if config.queue:
            self._listener = QueueListener(self._aws, where, config, clock)
            self._listener.poll_seconds = poll_seconds or self._listener.poll_seconds

    @property
    def queue_state(self) -> QueueState | None:
        """Return how the queue is doing, if there is one."""
        return self._listener.state if self._listener else None

    def refresh(self) -> list[StagedFile]:
        """List every object whose name says it is meant for loading.

        Raises UnreachableError when a page of the listing cannot be had.
        """
        found: list[StagedFile] = []
        for page in list_objects(self._client, self._where.bucket, self._where.prefix):
            for each in page:
                name = name_of(each.key, self._where.prefix)
                if name is not None and not is_marker(name, each.size):
                    found.append(
                        staged_object(name, each.size, each.modified_at, each.etag)
                    )
        return sorted(found, key=lambda file: file.mtime_ns)

    def look(self, name: str) -> StagedObject | None:
        key = self._where.prefix + name
        try:
            found = self._head(name, key)
        except FileNotFoundError:
            return None
        return None if is_marker(name, found.size) else found

    def looks(self, names: Iterable[str]) -> dict[str, StagedObject | None]:
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
        this = self._object(file)
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
        this = self._object(file)
        if self.look(this.name) != this:
            return
        try:
            with calling(self.location):
                self._client.delete_object(
                    **self._address(this.name), **_if_match(this)
                )
        except (FileNotFoundError, PreconditionError):
            return

    def archive(self, file: StagedFile, folder: str) -> None:
        """Copy an object below `folder` of the stage, then delete it here.

        Another one that lies there under its name is kept, under its own; the same
        content lies there after an archiving that was interrupted.
        """
        this = self._object(file)
        if self.look(this.name) != this:
            return
        if not self._copy(this, f"{folder.strip('/')}/{this.name}"):
            return
        self.remove(this)

    def _copy(self, this: StagedObject, target: str) -> bool:
        for number in count(1):
            name = target if number == 1 else f"{target}.{number}"
            there = self.look(name)
            if there is not None and (there.etag, there.size) == (this.etag, this.size):
                return True
            if there is None:
                break
        origin = {
            "Bucket": self._where.bucket,
            "Key": self._where.prefix + this.name,
        }
        condition = {"CopySourceIfMatch": f'"{this.etag}"'} if this.etag else {}
        try:
            with calling(self.location):
                if this.size < COPY_BYTES_MAX:
                    self._client.copy_object(
                        CopySource=origin, **self._address(name), **condition
                    )
                else:
                    self._client.copy(
                        origin, *self._address(name).values(), ExtraArgs=condition
                    )
        except (FileNotFoundError, PreconditionError):
            return False
        return True

    def tag(self, file: StagedFile, tags: Mapping[str, str]) -> None:
        """Add tags to an object; those it has under other names stay."""
        this = self._object(file)
        found = self.look(this.name)
        if found is None or found != this:
            return
        where = self._address(this.name)
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

    def _address(self, name: str) -> dict[str, str]:
        return {"Bucket": self._where.bucket, "Key": self._where.prefix + name}

    def _object(self, file: StagedFile) -> StagedObject:
        """Return the file with its ETag. Raises ChangedError."""
        if isinstance(file, StagedObject):
            return file
        found = self.look(file.name)
        if found is None or (found.size, found.mtime_ns, found.ctime_ns) != (
            file.size,
            file.mtime_ns,
            file.ctime_ns,
        ):
            raise _changed(file)
        return found

    def _head(self, name: str, key: str) -> StagedObject:
        """Ask for an object's state. Raises FileNotFoundError, UnreachableError."""
        if is_plain(key):
            import obstore

            with _asking(f"{self.location}/{name}"):
                meta = obstore.head(self._store, key)
            return staged_object(
                name,
                meta["size"],
                meta["last_modified"],
                meta["e_tag"] or "",
                meta["version"],
            )
        with calling(f"{self.location}/{name}"):
            said = self._client.head_object(Bucket=self._where.bucket, Key=key)
        return staged_object(
            name,
            said["ContentLength"],
            said["LastModified"],
            said.get("ETag", ""),
            said.get("VersionId"),
        )

    def _read(self, this: StagedObject, start: int) -> Iterator[bytes]:
        """Yield from one byte on, to the end or some megabytes further.

        Raises FileNotFoundError, PreconditionError, UnreachableError.
        """
        end = min(start + RANGE_BYTES_MAX, this.size)
        read = self._read_plain if self._is_plain(this) else self._read_odd
        left = end - start
        for piece in read(this, start, end):
            left -= len(piece)
            if left < 0:
                raise PreconditionError(this.name)
            yield piece

    def _is_plain(self, this: StagedObject) -> bool:
        return is_plain(self._where.prefix + this.name)

    def _read_plain(self, this: StagedObject, start: int, end: int) -> Iterator[bytes]:
        import obstore

        options: Any = {"range": (start, end)}
        if this.etag:
            options["if_match"] = f'"{this.etag}"'
        with _asking(f"{self.location}/{this.name}"):
            answer = obstore.get(
                self._store, self._where.prefix + this.name, options=options
            )
            meta = answer.meta
            found = staged_object(
                this.name, meta["size"], meta["last_modified"], meta["e_tag"] or ""
            )
            if found != this:
                raise PreconditionError(this.name)
            pieces = iter(answer.stream(min_chunk_size=CHUNK))
        while True:
            with _asking(f"{self.location}/{this.name}"):
                piece = next(pieces, b"")
            if not piece:
                return
            yield bytes(piece)

    def _read_odd(self, this: StagedObject, start: int, end: int) -> Iterator[bytes]:
        where = f"{self.location}/{this.name}"
        with calling(where):
            answer = self._client.get_object(
                **self._address(this.name),
                **_if_match(this),
                Range=f"bytes={start}-{end - 1}",
            )
            pieces = answer["Body"].iter_chunks(CHUNK)
        while True:
            with calling(where):
                piece = next(pieces, b"")
            if not piece:
                return
            yield piece


def open_store(
    aws: Aws, client: Any, where: BucketPath, config: LandingConfig
) -> S3Store:
    """Return the fast client's view of a bucket, with the credentials of `aws`.

    Raises ConfigError when the client is not installed or no credentials are found.
    """
    try:
        from obstore.store import S3Store
    except ImportError:
        raise ConfigError("landing.path: s3://", NOT_INSTALLED, INSTALL) from None
    aws.credential()
    endpoint: str = client.meta.endpoint_url
    virtual = config.endpoint is None and "." not in where.bucket
    if virtual:
        endpoint = endpoint.replace("://", f"://{where.bucket}.", 1)
    return S3Store(
        where.bucket,
        region=aws.region,
        endpoint=endpoint,
        virtual_hosted_style_request=virtual,
        checksum_algorithm="SHA256",
        credential_provider=cast("Any", aws.credential),
        client_options={
            "allow_http": config.allow_http,
            "connect_timeout": timedelta(seconds=5),
            "read_timeout": timedelta(seconds=20),
            "timeout": timedelta(minutes=5),
        },
        retry_config={
            "max_retries": 5,
            "retry_timeout": timedelta(seconds=30),
            "backoff": {
                "init_backoff": timedelta(milliseconds=100),
                "max_backoff": timedelta(seconds=3),
                "base": 2,
            },
        },
    )


@contextmanager
def _asking(where: str) -> Iterator[None]:
    """Sort what the fast client raises, for the length of a block, as `calling`."""
    from obstore import exceptions

    try:
        yield
    except exceptions.PreconditionError:
        raise PreconditionError(where) from None
    except FileNotFoundError:
        raise FileNotFoundError(where) from None
    except (exceptions.BaseError, OSError) as error:
        said = str(error).split("\n", 1)[0].split("<?xml", 1)[0].rstrip(": ")
        raise UnreachableError(where, said[:300]) from None


def _if_match(this: StagedObject) -> dict[str, str]:
    return {"IfMatch": f'"{this.etag}"'} if this.etag else {}


def _changed(file: StagedFile) -> ChangedError:
    return ChangedError(file.name, "it changed while it was read")
