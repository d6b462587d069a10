"""One object of a bucket as a staged file, and what its key allows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from snowmelt.landing.stage import StagedFile


@dataclass(frozen=True)
class StagedVersion(StagedFile):
    """One version of one object.

    `mtime_ns` has whole seconds: that is all a look tells, a listing may say more. A
    bucket has no inodes; `ctime_ns` is a number made from the ETag, so that content
    replaced within a second is another version wherever versions are compared.
    """

    version_id: str | None = field(default=None, compare=False)

    def is_same_content(self, other: StagedVersion) -> bool:
        """Do the ETags say the same? Without them, the times must."""
        if self.etag and other.etag:
            return (self.etag, self.size) == (other.etag, other.size)
        return self == other


def staged_version(
    name: str,
    size: int,
    modified_at: datetime,
    etag: str,
    version_id: str | None = None,
) -> StagedVersion:
    """Return what is known of an object. `etag` may have its quotes or not."""
    etag = etag.strip('"')
    digest = hashlib.blake2b(etag.encode(), digest_size=8).digest()
    return StagedVersion(
        name=name,
        size=size,
        mtime_ns=int(modified_at.timestamp()) * 1_000_000_000,
        inode=0,
        ctime_ns=int.from_bytes(digest, "big") >> 1,
        loadable="\x00" not in name,
        etag=etag,
        version_id=version_id,
    )


def is_plain(key: str) -> bool:
    """Can the fast client address this key as it is?"""
    if any(part in ("", ".", "..") for part in key.split("/")):
        return False
    return not any(mark < " " or mark == "\x7f" for mark in key)


def is_marker(name: str, size: int) -> bool:
    """Does this object only stand for a folder, as consoles make them?"""
    return size == 0 and name.endswith("/")
