"""What becomes of a file on its way into a bucket: cut into pieces, compressed.

Pieces are written one after the other into a folder of the project, and are the same
bytes each time, so that an upload that was cut off can go on.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, cast

from snowmelt.errors import UsageError
from snowmelt.landing.split import cut_csv, cut_lines

Compression = Literal["gzip", "zstd"]

CHUNK = 1 << 18
SPLIT_BYTES_MIN = 1 << 16
_SUFFIXES: dict[Compression, str] = {"gzip": ".gz", "zstd": ".zst"}
_CSV = {".csv": None, ".tsv": b"\t", ".txt": None}
_LINES = {".ndjson", ".jsonl"}
_TEXT = {*_CSV, *_LINES, ".json", ".xml"}


@dataclass(frozen=True)
class Piece:
    """A file to put, and its name. A `made` one goes when it has been put."""

    path: Path
    name: str
    made: bool = False


@dataclass(frozen=True)
class Form:
    """A file's name taken apart, and what is to become of it."""

    path: Path
    stem: str
    suffix: str
    compressed_as: Compression | None
    split_bytes: int | None
    compression: Compression | None

    @property
    def is_as_it_is(self) -> bool:
        """Is the file put without being written anew?"""
        return self.split_bytes is None and self.compression == self.compressed_as

    def name(self, number: int | None = None) -> str:
        """Return the name of a piece, or of the whole."""
        counted = "" if number is None else f"_{number:04d}"
        ending = _SUFFIXES[self.compression] if self.compression else ""
        return f"{self.stem}{counted}{self.suffix}{ending}"


def form_of(
    path: Path, split_bytes: int | None, compression: Compression | None
) -> Form:
    """Decide what becomes of a file, by its name.

    Text is compressed; CSV and JSON lines are split too. What is compressed already
    is split only, and stays so. Everything else is put as it is.

    Raises UsageError when pieces would be too small to make sense.
    """
    if split_bytes is not None and split_bytes < SPLIT_BYTES_MIN:
        raise UsageError("--split", f"pieces have at least {SPLIT_BYTES_MIN} bytes")
    inner, compressed_as = path.name, None
    for known, ending in _SUFFIXES.items():
        if path.name.lower().endswith(ending):
            inner, compressed_as = path.name[: -len(ending)], known
    suffix = Path(inner).suffix
    kind = suffix.lower()
    splits = kind in _CSV or kind in _LINES
    return Form(
        path,
        inner.removesuffix(suffix),
        suffix,
        compressed_as,
        split_bytes if splits else None,
        compressed_as or (compression if kind in _TEXT else None),
    )


def pieces_of(form: Form, folder: Path) -> Iterator[Piece]:
    """Yield what is to be put, written into `folder` where it is not the file itself.

    Each piece is made when it is asked for. Raises UsageError when the file cannot be
    read as what its name says.
    """
    if form.is_as_it_is:
        yield Piece(form.path, form.path.name)
        return
    with _opened(form) as source:
        chunks = iter(lambda: _read(source, form), b"")
        if form.split_bytes is None:
            target = folder / form.name()
            _write(target, form, b"", chunks, None)
            yield Piece(target, form.name(), made=True)
            return
        yield from _split(form, folder, chunks)


def _split(form: Form, folder: Path, chunks: Iterator[bytes]) -> Iterator[Piece]:
    kind = form.suffix.lower()
    header, blocks = b"", cut_lines(chunks)
    if kind in _CSV:
        cut = cut_csv(str(form.path), chunks, _CSV[kind])
        header, blocks = cut.header, cut.blocks
    number, block = 1, next(blocks, b"")
    while block or number == 1:
        target = folder / form.name(number)
        _write(target, form, header + block, blocks, form.split_bytes)
        yield Piece(target, form.name(number), made=True)
        number, block = number + 1, next(blocks, b"")


def _write(
    target: Path, form: Form, first: bytes, blocks: Iterator[bytes], limit: int | None
) -> None:
    """Write blocks until there are no more, or the file has reached its size."""
    with target.open("wb") as raw, _compressing(raw, form.compression) as writer:
        writer.write(first)
        while limit is None or raw.tell() < limit:
            block = next(blocks, b"")
            if not block:
                return
            writer.write(block)


@contextmanager
def _compressing(raw: BinaryIO, compression: Compression | None) -> Iterator[BinaryIO]:
    """Compress what is written, with nothing in it that tells the time."""
    if compression == "gzip":
        with gzip.GzipFile("", "wb", 6, raw, mtime=0) as writer:
            yield cast("BinaryIO", writer)
    elif compression == "zstd":
        import zstandard

        with zstandard.ZstdCompressor().stream_writer(raw, closefd=False) as writer:
            yield cast("BinaryIO", writer)
    else:
        yield raw


@contextmanager
def _opened(form: Form) -> Iterator[BinaryIO]:
    """Open a file and undo its compression."""
    with form.path.open("rb") as raw:
        if form.compressed_as == "gzip":
            with gzip.GzipFile(fileobj=raw) as reader:
                yield cast("BinaryIO", reader)
        elif form.compressed_as == "zstd":
            import zstandard

            decompressor = zstandard.ZstdDecompressor()
            with decompressor.stream_reader(raw, read_across_frames=True) as reader:
                yield cast("BinaryIO", io.BufferedReader(reader, CHUNK))
        else:
            yield raw


def _read(source: BinaryIO, form: Form) -> bytes:
    from zstandard import ZstdError

    try:
        return source.read(CHUNK)
    except (OSError, EOFError, ZstdError) as error:
        raise UsageError(str(form.path), f"it cannot be read: {error}") from None
