"""Putting a large file in parts, so that what was sent is never sent twice.

What is under way is written down in the project; a later call goes on with the parts
that the bucket lacks. A part counts as there when the bucket's digest of it is that of
the bytes at hand, so a file that changed meanwhile is put as it is now.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from snowmelt.aws import calling
from snowmelt.errors import ChangedError, UnreachableError

PART_BYTES_MIN = 16 << 20
PARTS_MAX = 9_000


@dataclass(frozen=True)
class Upload:
    """An upload that was begun."""

    bucket: str
    key: str
    upload_id: str
    part_bytes: int


@dataclass(frozen=True)
class LargeFile:
    """A file to put in parts, and where it goes. `state` is where that is noted."""

    path: Path
    bucket: str
    key: str
    state: Path

    @property
    def where(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def state_path(folder: Path, endpoint: str, bucket: str, key: str) -> Path:
    """Return the file in which an upload to one key is noted."""
    digest = hashlib.sha256("\0".join((endpoint, bucket, key)).encode()).hexdigest()
    return folder / f"{digest[:32]}.json"


def put_in_parts(
    client: Any, file: LargeFile, threads: Executor, sent: Callable[[int], None]
) -> str:
    """Put a file, or go on with it; return its ETag, which was verified.

    `sent` is told how many bytes are there, as they come to be.

    Raises ChangedError when the file changes meanwhile, UnreachableError when the
    bucket cannot be reached; what was sent is kept for the next time.
    """
    for _ in range(2):
        upload = _resumed(file) or _begun(client, file)
        try:
            etag = _put(client, file, upload, threads, sent)
        except FileNotFoundError:  # somebody ended it, or it grew too old
            file.state.unlink(missing_ok=True)
            continue
        file.state.unlink(missing_ok=True)
        return etag
    raise UnreachableError(file.where, "the bucket forgets uploads that were begun")


def _resumed(file: LargeFile) -> Upload | None:
    try:
        upload = Upload(**json.loads(file.state.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    matches = (upload.bucket, upload.key) == (file.bucket, file.key)
    return upload if matches and upload.part_bytes == _part_bytes(file.path) else None


def _begun(client: Any, file: LargeFile) -> Upload:
    with calling(file.where):
        begun = client.create_multipart_upload(Bucket=file.bucket, Key=file.key)
    upload = Upload(file.bucket, file.key, begun["UploadId"], _part_bytes(file.path))
    file.state.parent.mkdir(parents=True, exist_ok=True)
    written = file.state.with_suffix(f".{os.getpid()}.tmp")
    written.write_text(json.dumps(asdict(upload)))
    written.replace(file.state)
    return upload


def _put(
    client: Any,
    file: LargeFile,
    upload: Upload,
    threads: Executor,
    sent: Callable[[int], None],
) -> str:
    """Send the parts that lack, and have them put together."""
    there = _parts_there(client, file, upload)
    before = file.path.stat()
    count = -(-before.st_size // upload.part_bytes)

    def put_part(number: int) -> str:
        body = _part(file.path, (number - 1) * upload.part_bytes, upload.part_bytes)
        digest = hashlib.md5(body, usedforsecurity=False)
        if there.get(number) != (len(body), digest.hexdigest()):
            with calling(file.where):
                client.upload_part(
                    Bucket=file.bucket,
                    Key=file.key,
                    UploadId=upload.upload_id,
                    PartNumber=number,
                    Body=body,
                    ContentMD5=base64.b64encode(digest.digest()).decode(),
                )
        sent(len(body))
        return digest.hexdigest()

    digests = list(threads.map(put_part, range(1, count + 1)))
    after = file.path.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        abandon(client, file, upload)
        raise ChangedError(str(file.path), "it changed while it was put")
    return _complete(client, file, upload, digests, before.st_size)


def _parts_there(
    client: Any, file: LargeFile, upload: Upload
) -> dict[int, tuple[int, str]]:
    """Return the size and digest of each part that the bucket has."""
    there: dict[int, tuple[int, str]] = {}
    marker = 0
    while True:
        with calling(file.where):
            said = client.list_parts(
                Bucket=file.bucket,
                Key=file.key,
                UploadId=upload.upload_id,
                PartNumberMarker=marker,
            )
        for part in said.get("Parts", []):
            there[part["PartNumber"]] = (part["Size"], part["ETag"].strip('"'))
        marker = int(said.get("NextPartNumberMarker") or 0)
        if not said.get("IsTruncated"):
            return there


def _complete(
    client: Any, file: LargeFile, upload: Upload, digests: list[str], size: int
) -> str:
    """Have the parts put together, and compare what came of it.

    An answer that is lost makes the client ask again, and the bucket then knows of no
    such upload: whether the file is there decides.
    """
    there = _parts_there(client, file, upload)
    if len(there) != len(digests):
        raise FileNotFoundError(file.where)
    parts = [
        {"PartNumber": number, "ETag": f'"{there[number][1]}"'}
        for number in sorted(there)
    ]
    completed = False
    with suppress(FileNotFoundError), calling(file.where):
        client.complete_multipart_upload(
            Bucket=file.bucket,
            Key=file.key,
            UploadId=upload.upload_id,
            MultipartUpload={"Parts": parts},
        )
        completed = True
    with calling(file.where):
        found = client.head_object(Bucket=file.bucket, Key=file.key)
    etag: str = found["ETag"].strip('"')
    whole = hashlib.md5(b"".join(map(bytes.fromhex, digests)), usedforsecurity=False)
    expected = f"{whole.hexdigest()}-{len(digests)}"
    encrypted = found.get("ServerSideEncryption", "").startswith("aws:kms")
    # Of a file in parts other servers make other ETags, or none that tells anything.
    comparable = etag.endswith(f"-{len(digests)}") and not encrypted
    arrived = etag == expected or (completed and not comparable)
    if found["ContentLength"] == size and arrived:
        return etag
    if completed:
        raise UnreachableError(file.where, "it did not arrive as it was put")
    raise FileNotFoundError(file.where)


def abandon(client: Any, file: LargeFile, upload: Upload) -> None:
    """Let the bucket forget an upload, and what it holds of it."""
    with suppress(FileNotFoundError, UnreachableError), calling(file.where):
        client.abort_multipart_upload(
            Bucket=file.bucket, Key=file.key, UploadId=upload.upload_id
        )
    file.state.unlink(missing_ok=True)


def _part_bytes(path: Path) -> int:
    """Return the size of a part: the same for the same size of file."""
    least = -(-path.stat().st_size // PARTS_MAX)
    return max(PART_BYTES_MIN, -(-least // (1 << 20)) << 20)


def _part(path: Path, offset: int, size: int) -> bytes:
    with path.open("rb") as opened:
        opened.seek(offset)
        return opened.read(size)
