"""Putting files into a bucket, many at a time, each whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from snowmelt.clock import Clock
from snowmelt.errors import ConfigError, UsageError
from snowmelt.landing.config import LandingConfig
from snowmelt.landing.pieces import Compression, Form, Piece, form_of, pieces_of
from snowmelt.landing.s3_client import BucketClient, open_aws
from snowmelt.landing.s3_multipart import LargeFile, put_in_parts, state_path
from snowmelt.landing.stage import find_hidden
from snowmelt.landing.upload import check_files

LARGE_BYTES_MIN = 64 << 20
LEFT_OVER_AGE = timedelta(days=1)

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class LandOptions:
    """How files are put. `split_bytes` is the size of a piece as it is put.

    `skips` is asked of each name and the file that would be put under it.
    """

    into: str = ""
    split_bytes: int | None = None
    compression: Compression | None = None
    threads: int = 8
    skips: Callable[[str, Path], bool] | None = None


def land(
    files: list[Path],
    config: LandingConfig,
    project_root: Path,
    clock: Clock,
    options: LandOptions | None = None,
    progress: Progress | None = None,
) -> list[str]:
    """Put files into the bucket and return their names there.

    A bucket shows an object when all of it has arrived. Large files go in parts; one
    that was cut off is gone on with. `progress` is called with a name, the bytes that
    are there and all there will be, by one thread at a time.

    All files are checked before the first is put. Raises UsageError for what cannot
    be put, UnreachableError when the bucket cannot be reached.
    """
    options = options or LandOptions()
    _check_into(options.into)
    check_files(files)
    forms = [form_of(each, options.split_bytes, options.compression) for each in files]
    _check_names(forms)
    uploader = Uploader(config, project_root, clock, options, progress)
    with _folder_of_pieces(uploader.folder, clock) as folder:
        pieces = (piece for form in forms for piece in pieces_of(form, folder))
        return uploader.put_all(pieces)


def _check_into(into: str) -> None:
    if not into:
        return
    parts = into.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise UsageError(into, "the sub-folder lies outside the stage, or has no name")
    hidden = find_hidden(parts)
    if hidden:
        raise UsageError(into, f"files below '{hidden}' are never loaded")


def _check_names(forms: list[Form]) -> None:
    """Refuse files that would get one name, as a.csv and a.csv.gz may."""
    names: dict[str, Path] = {}
    for form in forms:
        other = names.setdefault(form.name(), form.path)
        if other is not form.path:
            raise UsageError(str(form.path), f"{other} would get the same name")


@contextmanager
def _folder_of_pieces(folder: Path, clock: Clock) -> Iterator[Path]:
    """Make a folder for the length of a block; clear what killed calls left."""
    folder.mkdir(parents=True, exist_ok=True)
    for left_over in folder.glob("pieces-*"):
        modified_at = datetime.fromtimestamp(left_over.stat().st_mtime, UTC)
        if clock.now() - modified_at > LEFT_OVER_AGE:
            shutil.rmtree(left_over, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="pieces-", dir=folder) as made:
        yield Path(made)


class Uploader:
    """Puts files below a prefix; small ones side by side, large ones in parts."""

    def __init__(
        self,
        config: LandingConfig,
        project_root: Path,
        clock: Clock,
        options: LandOptions,
        progress: Progress | None,
    ) -> None:
        where = config.bucket_path
        if where is None:
            raise ConfigError("landing.path", f"'{config.path}' is no bucket")
        self.folder = project_root / ".snowmelt" / "uploads"
        self._into = f"{options.into}/" if options.into else ""
        self._threads = options.threads
        self._skips = options.skips
        self._bucket = BucketClient(
            open_aws(config, clock), config, where, connections=2 * options.threads
        )
        self._progress = progress
        self._telling = threading.Lock()

    def put_all(self, pieces: Iterable[Piece]) -> list[str]:
        """Put pieces as they are made; return their names in the stage.

        No more are made than there are threads to put them. The first problem ends
        it, when what is under way has ended.
        """
        names: list[str] = []
        room = threading.Semaphore(2 * self._threads)
        under_way: list[Future[None]] = []
        with (
            ThreadPoolExecutor(self._threads, "put") as threads,
            ThreadPoolExecutor(self._threads, "part") as parts,
        ):
            for piece in pieces:
                names.append(self._into + piece.name)
                if self._skips is not None and self._skips(names[-1], piece.path):
                    self._end(piece, piece.path.stat().st_size)
                    continue
                if piece.path.stat().st_size > LARGE_BYTES_MIN:
                    self._put_large(piece, parts)
                    continue
                room.acquire()
                put = threads.submit(self._put_small, piece)
                put.add_done_callback(lambda _: room.release())
                under_way = [*_unfinished(under_way), put]
            _unfinished(under_way, wait=True)
        return names

    def _put_small(self, piece: Piece) -> None:
        body = piece.path.read_bytes()
        self._bucket.put(self._into + piece.name, body)
        self._end(piece, len(body))

    def _put_large(self, piece: Piece, parts: ThreadPoolExecutor) -> None:
        name = self._into + piece.name
        size, done = piece.path.stat().st_size, 0

        def sent(count: int) -> None:
            nonlocal done
            with self._telling:
                done += count
                if self._progress is not None and done < size:
                    self._progress(name, done, size)

        client, address = self._bucket.client, self._bucket.address(name)
        bucket, key = address["Bucket"], address["Key"]
        state = state_path(self.folder, client.meta.endpoint_url, bucket, key)
        put_in_parts(client, LargeFile(piece.path, bucket, key, state), parts, sent)
        self._end(piece, size)

    def _end(self, piece: Piece, size: int) -> None:
        if piece.made:
            piece.path.unlink(missing_ok=True)
        if self._progress is not None:
            with self._telling:
                self._progress(self._into + piece.name, size, size)


def _unfinished(
    under_way: list[Future[None]], *, wait: bool = False
) -> list[Future[None]]:
    """Return what is not done yet; raise the first problem of what is."""
    for each in under_way:
        if wait or each.done():
            each.result()
    return [each for each in under_way if not each.done()]
