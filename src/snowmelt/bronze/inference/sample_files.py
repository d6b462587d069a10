"""Sample files, made readable: inflated, in UTF-8, and told apart by their content."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from snowmelt.bronze.decoding import compression_of, decode, inflate, kind_of
from snowmelt.errors import FileError, UsageError
from snowmelt.pipe.file_format import ENCODINGS, GUESSED_ENCODING

_PARQUET, _PARQUET_BYTES_MIN = b"PAR1", 12
SampleKind = Literal["csv", "json", "parquet"]
HEAD_BYTES = 1 << 21
_CHUNK = 1 << 20
_BOM = "\ufeff"
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf32"),
    (codecs.BOM_UTF32_BE, "utf32"),
    (codecs.BOM_UTF16_LE, "utf16"),
    (codecs.BOM_UTF16_BE, "utf16"),
)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_JSON = re.compile(r'\s*(?:\{\s*(?:"|\})|\[\s*(?:\{|\]))')


@dataclass(frozen=True)
class SampleFile:
    """One sample: where its plain content lies, and what it is.

    `plain` is the file itself, by a link, or a copy in UTF-8. `head` is its beginning;
    `whole` says that it is all of it. `is_ascii`: any encoding but UTF-16 and UTF-32
    reads it alike. `bad_byte` is the first that is not UTF-8.
    """

    path: Path
    plain: Path
    kind: SampleKind
    size: int
    encoding: str = "utf8"
    is_ascii: bool = False
    bad_byte: int | None = None
    head: str = ""
    whole: bool = False


def open_samples(paths: Sequence[Path], folder: Path) -> list[SampleFile]:
    """Make every sample readable; copies and links are put into `folder`.

    Raises UsageError for a file that is missing, empty, binary, broken, or not like
    the others: a pipe has one format and one encoding.
    """
    samples = [_open(path, folder, number) for number, path in enumerate(paths)]
    texts = [each for each in samples if each.kind != "parquet"]
    if len(texts) == len(samples):
        samples = _decoded(samples, _agree(samples), folder)
    kinds = {sample.kind: sample for sample in samples}
    if len(kinds) > 1:
        told = ", ".join(f"{each.path} is {kind}" for kind, each in kinds.items())
        raise UsageError(
            "samples",
            f"a pipe has one format: {told}",
            "Infer one pipe for each.",
        )
    return samples


def _open(path: Path, folder: Path, number: int) -> SampleFile:
    """Inflate one sample, if need be, and tell what it is."""
    if not path.is_file():
        problem = "it is a folder" if path.is_dir() else "there is no such file"
        raise UsageError(str(path), problem)
    plain = folder / f"{number}.sample"
    try:
        with path.open("rb") as file:
            first = file.read(1 << 12)
        compression = compression_of(first, "auto")
        if compression == "none":
            plain.symlink_to(path.resolve())
        else:
            with plain.open("xb") as copy:
                for chunk in inflate(_chunks(path), compression):
                    copy.write(chunk)
    except FileError as error:
        raise UsageError(str(path), error.problem) from None
    except OSError as error:
        raise UsageError(
            str(path), f"it cannot be read: {error.strerror or error}"
        ) from None
    return _told(path, plain)


def _told(path: Path, plain: Path) -> SampleFile:
    size = plain.stat().st_size
    with plain.open("rb") as file:
        first = file.read(HEAD_BYTES)
    found = kind_of(first)
    if found == "Parquet" or path.suffix.lower() == ".parquet":
        _require_parquet(path, plain, size)
        return SampleFile(path, plain, "parquet", size)
    if found:
        raise UsageError(str(path), f"it is no text: it looks like {found}")
    if not first.strip(b"\r\n\t \x00\xef\xbb\xbf\xff\xfe"):
        raise UsageError(str(path), "the file is empty", "Give a file with records.")
    encoding, is_ascii, bad_byte = _tell_encoding(path, plain, first)
    return _with_head(
        SampleFile(path, plain, "csv", size, encoding, is_ascii, bad_byte)
    )


def _require_parquet(path: Path, plain: Path, size: int) -> None:
    """Raise UsageError for what neither begins nor ends as Parquet does."""
    with plain.open("rb") as file:
        begins = file.read(len(_PARQUET))
        file.seek(max(size - len(_PARQUET), 0))
        ends = file.read()
    if begins != _PARQUET:
        raise UsageError(str(path), "it is not Parquet, as its name says it is")
    if ends != _PARQUET or size < _PARQUET_BYTES_MIN:
        raise UsageError(
            str(path),
            "the Parquet file is cut short: its footer is missing",
            "Have it written again, whole.",
        )


def _tell_encoding(
    path: Path, plain: Path, first: bytes
) -> tuple[str, bool, int | None]:
    """Return the encoding, whether it is all ASCII, and the first bad byte."""
    marked = next((name for bom, name in _BOMS if first.startswith(bom)), None)
    if marked:
        return marked, False, None
    zeros = first.count(b"\x00")
    if zeros * 3 > len(first):
        odd = first[1::2].count(b"\x00")
        if odd in (0, zeros):
            return ("utf16le" if odd else "utf16be"), False, None
    if _CONTROL.search(first):
        raise UsageError(
            str(path),
            "it is no text: it holds bytes that no text has",
            "CSV, JSON and Parquet are read, plain or with gzip or zstd.",
        )
    is_ascii, bad_byte = _check_utf8(plain)
    return ("utf8" if bad_byte is None else GUESSED_ENCODING), is_ascii, bad_byte


def _check_utf8(plain: Path) -> tuple[bool, int | None]:
    """Say whether a file is all ASCII, and which byte is the first not in UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_ascii, before, held = True, 0, 0
    try:
        for chunk in _chunks(plain):
            held = len(decoder.getstate()[0])
            is_ascii = is_ascii and chunk.isascii()
            if not (is_ascii and held == 0):
                decoder.decode(chunk)
            before += len(chunk)
        held = len(decoder.getstate()[0])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        return False, before - held + error.start
    return is_ascii, None


def _agree(samples: Sequence[SampleFile]) -> str:
    """Return the one encoding of all samples."""
    particular = {each.encoding: each for each in samples if not each.is_ascii}
    if len(particular) > 1:
        told = ", ".join(f"{each.path} is {name}" for name, each in particular.items())
        raise UsageError(
            "samples",
            f"a pipe has one encoding: {told}",
            "Infer one pipe for each.",
        )
    return next(iter(particular), "utf8")


def _decoded(
    samples: Sequence[SampleFile], encoding: str, folder: Path
) -> list[SampleFile]:
    """Return the samples in UTF-8, copied if they are in something else.

    Five bytes have no meaning in Windows 1252; every byte has one in ISO 8859-1.
    """
    if encoding == "utf8":
        return list(samples)
    try:
        return [_transcoded(each, encoding, folder) for each in samples]
    except FileError as error:
        if encoding != GUESSED_ENCODING:
            raise UsageError(error.where, error.problem) from None
    return [_transcoded(each, "iso88591", folder) for each in samples]


def _transcoded(sample: SampleFile, encoding: str, folder: Path) -> SampleFile:
    if sample.is_ascii and not encoding.startswith("utf"):
        return replace(sample, encoding=encoding)
    copy = folder / f"{sample.plain.stem}.utf8"
    try:
        with copy.open("wb") as file:
            chunks = _chunks(sample.plain)
            for chunk in decode(chunks, ENCODINGS[encoding], replace_invalid=False):
                file.write(chunk)
    except FileError as error:
        raise FileError(str(sample.path), error.problem) from None
    decoded = replace(sample, plain=copy, encoding=encoding)
    return _with_head(decoded)


def _with_head(sample: SampleFile) -> SampleFile:
    """Return the sample with its first text, and told whether that is JSON."""
    with sample.plain.open("rb") as file:
        first = file.read(HEAD_BYTES)
        whole = not file.read(1)
    head = first.decode("utf-8", "replace").removeprefix(_BOM)
    kind: SampleKind = "json" if _JSON.match(head) else "csv"
    return replace(sample, head=head, whole=whole, kind=kind)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
