"""From the bytes of a file to its plain content: inflated, then decoded.

A file whose compression is broken loads nothing: what a broken stream yields before
it breaks, and what it yields without breaking, is not what was written. The end of
the stream and its checksum are looked at.
"""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Iterable, Iterator
from typing import Literal

import zstandard

from snowmelt.errors import FileError

Compression = Literal["gzip", "zstd", "none"]
_INFLATED_BLOCK = 1 << 20
_ZSTD_SLICE = 1 << 11
_WINDOW_MAX = 1 << 27
MAGIC = {
    rb"\x1f\x8b": "gzip",
    rb"\x28\xb5\x2f\xfd": "zstd",
    rb"PK\x03\x04": "zip",
    rb"BZh[1-9]1AY&SY": "bzip2",
    rb"\xfd7zXZ\x00": "xz",
    rb"\x04\x22\x4d\x18": "lz4",
    rb"PAR1[\x00-\x1f]": "Parquet",
    rb"%PDF-": "PDF",
    rb"\x89PNG": "PNG",
    rb"\xd0\xcf\x11\xe0": "an old Office document",
    rb"SQLite format 3\x00": "a SQLite database",
}


_KINDS = tuple(MAGIC.values())
_ANY_MAGIC = re.compile(b"|".join(b"(%s)" % magic for magic in MAGIC))


def kind_of(first: bytes) -> str:
    """Return what a file's first bytes say it is; nothing if they say nothing."""
    found = _ANY_MAGIC.match(first)
    return _KINDS[found.lastindex - 1] if found and found.lastindex else ""


def compression_of(first: bytes, given: str) -> Compression:
    """Return how a file is compressed, from its first bytes and its format.

    Raises FileError for a compression that is not read, and for a file that is not
    compressed as its format says.
    """
    found = kind_of(first)
    if found in ("zip", "bzip2", "xz", "lz4"):
        raise FileError(
            "", f"the file is compressed with {found}: use gzip, zstd or none"
        )
    actual: Compression = "none"
    if found == "gzip":
        actual = "gzip"
    elif found == "zstd":
        actual = "zstd"
    if given not in ("auto", actual):
        is_so = f"it is {actual}" if actual != "none" else "it is not compressed"
        raise FileError("", f"the file is not compressed with {given}: {is_so}")
    return actual


def inflate(chunks: Iterable[bytes], compression: Compression) -> Iterator[bytes]:
    """Yield the inflated content, in bounded pieces.

    Raises FileError where the stream is broken, cut short, or followed by something
    that is none.
    """
    if compression == "none":
        yield from chunks
    elif compression == "gzip":
        yield from _ungzip(chunks)
    else:
        yield from _unzstd(chunks)


def _ungzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Inflate one gzip member after the other; zeros may pad the end."""
    member = zlib.decompressobj(wbits=31)
    fresh = True
    for chunk in chunks:
        rest = chunk
        while rest:
            if fresh and not (rest := rest.lstrip(b"\x00")):
                break
            try:
                piece = member.decompress(rest, _INFLATED_BLOCK)
            except zlib.error as error:
                raise FileError("", f"its gzip stream is broken: {error}") from None
            fresh = False
            if piece:
                yield piece
            rest = member.unconsumed_tail
            if member.eof:
                rest, fresh = member.unused_data, True
                member = zlib.decompressobj(wbits=31)
    if not fresh:
        raise FileError("", "its gzip stream is cut short")


def _unzstd(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Inflate one zstd frame after the other.

    The input goes in by small slices: a slice of a bomb inflates 32,000 times.
    """
    inflator = zstandard.ZstdDecompressor(max_window_size=_WINDOW_MAX)
    frame, fresh = inflator.decompressobj(), True
    for chunk in chunks:
        for at in range(0, len(chunk), _ZSTD_SLICE):
            rest = chunk[at : at + _ZSTD_SLICE]
            while rest:
                try:
                    piece = frame.decompress(rest)
                except zstandard.ZstdError as error:
                    raise FileError("", f"its zstd stream is broken: {error}") from None
                if piece:
                    yield piece
                rest, fresh = b"", False
                if frame.eof:
                    rest, fresh = frame.unused_data, True
                    frame = inflator.decompressobj()
    if not fresh:
        raise FileError("", "its zstd stream is cut short")


def decode(
    chunks: Iterable[bytes], codec: str, *, replace_invalid: bool
) -> Iterator[bytes]:
    """Yield the content as UTF-8.

    Raises FileError naming the byte that is none of the encoding's.
    """
    decoder = codecs.getincrementaldecoder(codec)(
        "replace" if replace_invalid else "strict"
    )
    before = 0
    try:
        for chunk in chunks:
            held = len(decoder.getstate()[0])
            yield decoder.decode(chunk).encode()
            before += len(chunk)
        held = len(decoder.getstate()[0])
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError as error:
        at = before - held + getattr(error, "start", 0)
        raise FileError(
            "",
            f"byte {at} is not {codec}: set file_format.encoding, or "
            "replace_invalid_characters: true",
        ) from None
