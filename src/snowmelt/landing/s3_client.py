"""Speaking to a bucket: what is read and put, key by key.

Most keys take a fast client. It cannot address every key a bucket may hold ('..', an
empty part, a control character); those take the slower one.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from snowmelt.aws import INSTALL, NOT_INSTALLED, Aws, PreconditionError, calling
from snowmelt.clock import Clock
from snowmelt.errors import ConfigError, UnreachableError
from snowmelt.landing.config import BucketPath, LandingConfig
from snowmelt.landing.s3_version import StagedVersion, is_plain, staged_version

if TYPE_CHECKING:
    from obstore.store import S3Store

CHUNK = 1 << 18


def open_aws(config: LandingConfig, clock: Clock) -> Aws:
    """Return the chain of credentials that a project names."""
    return Aws(
        clock, endpoint=config.endpoint, region=config.region, profile=config.profile
    )


class BucketClient:
    """The objects below a prefix, by name. Safe to use from several threads.

    Its methods raise FileNotFoundError when an object is not there,
    PreconditionError when it is another version, and UnreachableError for all else.
    """

    def __init__(
        self,
        aws: Aws,
        config: LandingConfig,
        where: BucketPath,
        *,
        connections: int = 16,
    ) -> None:
        self.client = aws.s3(connections)
        self._store = _open_store(aws, self.client, where, config)
        self._bucket = where.bucket
        self._prefix = where.prefix

    def address(self, name: str) -> dict[str, str]:
        """Return bucket and key, in the words of the slower client."""
        return {"Bucket": self._bucket, "Key": self._prefix + name}

    def location(self, name: str) -> str:
        """Return an object's URL, to be shown."""
        return f"s3://{self._bucket}/{self._prefix}{name}"

    def head(self, name: str) -> StagedVersion:
        """Ask for an object's state."""
        key, where = self._prefix + name, self.location(name)
        if is_plain(key):
            import obstore

            with _asking(where):
                meta = obstore.head(self._store, key)
            etag, version = meta["e_tag"] or "", meta["version"]
            return staged_version(
                name, meta["size"], meta["last_modified"], etag, version
            )
        with calling(where):
            said = self.client.head_object(**self.address(name))
        return staged_version(
            name,
            said["ContentLength"],
            said["LastModified"],
            said.get("ETag", ""),
            said.get("VersionId"),
        )

    def read(self, this: StagedVersion, start: int, end: int) -> Iterator[bytes]:
        """Yield some bytes of this version; they may end early.

        The fast client reads files in one go only: it refuses the partial answers of
        some servers, and for large pieces it is no faster.
        """
        whole = (start, end) == (0, this.size)
        pieces = (
            self._read_whole(this)
            if whole and is_plain(self._prefix + this.name)
            else self._read_part(this, start, end)
        )
        while piece := next(pieces, b""):
            yield piece

    def _read_whole(self, this: StagedVersion) -> Iterator[bytes]:
        import obstore

        options: Any = {"if_match": f'"{this.etag}"'} if this.etag else {}
        where = self.location(this.name)
        with _asking(where):
            answer = obstore.get(self._store, self._prefix + this.name, options=options)
            meta = answer.meta
            found = staged_version(
                this.name, meta["size"], meta["last_modified"], meta["e_tag"] or ""
            )
            if not found.is_same_content(this):
                raise PreconditionError(where)
            pieces = iter(answer.stream(min_chunk_size=CHUNK))
        while True:
            with _asking(where):
                piece = next(pieces, b"")
            yield bytes(piece)

    def _read_part(self, this: StagedVersion, start: int, end: int) -> Iterator[bytes]:
        where = self.location(this.name)
        with calling(where):
            answer = self.client.get_object(
                **self.address(this.name),
                **if_match(this),
                Range=f"bytes={start}-{end - 1}",
            )
            if answer.get("ETag", "").strip('"') != this.etag:
                raise PreconditionError(where)
            if f"{start}-{end - 1}/" not in answer.get("ContentRange", ""):
                raise UnreachableError(where, "a part was asked for, another came")
            pieces = answer["Body"].iter_chunks(CHUNK)
        while True:
            with calling(where):
                piece = next(pieces, b"")
            yield piece

    def put(self, name: str, body: bytes) -> None:
        """Put an object; what arrived is compared with what was put."""
        key, where = self._prefix + name, self.location(name)
        digest = hashlib.md5(body, usedforsecurity=False)
        if is_plain(key):
            import obstore

            with _asking(where):
                etag = obstore.put(self._store, key, body, use_multipart=False)["e_tag"]
        else:
            with calling(where):
                etag = self.client.put_object(
                    **self.address(name),
                    Body=body,
                    ContentMD5=base64.b64encode(digest.digest()).decode(),
                )["ETag"]
        if (etag or "").strip('"') != digest.hexdigest():
            self._check_size(name, len(body))

    def _check_size(self, name: str, size: int) -> None:
        """Compare sizes: of an encrypted object the ETag is no digest."""
        try:
            found = self.head(name).size
        except FileNotFoundError:
            found = -1
        if found != size:
            raise UnreachableError(
                self.location(name), "it did not arrive as it was put"
            )


def if_match(this: StagedVersion) -> dict[str, str]:
    """Return the condition that an object still is this version."""
    return {"IfMatch": f'"{this.etag}"'} if this.etag else {}


def _open_store(
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
        raise UnreachableError(where, _said(str(error))) from None


def _said(text: str) -> str:
    """Return the server's own words from an error, or its first line."""
    answer = re.search(r"<Code>([^<]*)</Code>\s*<Message>([^<]*)</Message>", text)
    return ": ".join(answer.groups()) if answer else text.split("\n", 1)[0][:300]
