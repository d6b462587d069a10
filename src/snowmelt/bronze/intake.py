"""Taking a file in: its bytes are hashed, and its plain content is made readable.

A plain file of a folder is read where it lies. Of anything else a copy is written to
the spool, in one pass over the original: inflated, in UTF-8, lines that are to be
skipped left out, a header put before records that have none.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from snowmelt.bronze.content import Content
from snowmelt.bronze.decoding import compression_of, decode, inflate, kind_of
from snowmelt.bronze.digest import Digest
from snowmelt.bronze.layout import header_of
from snowmelt.bronze.lines import LinesTaken, take_lines
from snowmelt.bronze.records import BOM
from snowmelt.bronze.sniffing import tell_format
from snowmelt.errors import FileError
from snowmelt.landing.stage import Stage, StagedFile
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.file_format import Concrete, CsvFormat, ParquetFormat

FIRST_BYTES = 1 << 18
Feed = Callable[[bytes], None]


@dataclass
class Taken:
    """A file that was read once.

    `content_sha256` is known when all of it was read. `problem` says why nothing of it
    can be loaded; then there is no content.
    """

    file: StagedFile
    content_sha256: str
    content: Content | None = None
    file_format: Concrete | None = None
    first: bytes = b""
    problem: str | None = None


class Intake:
    """Takes in the files of one pipe, and removes the copies it made."""

    def __init__(
        self,
        stage: Stage,
        pipe: Pipe,
        spool: Path,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        """`check` is asked at every piece, and raises when the time is over."""
        self._check = check
        self._stage = stage
        self._pipe = pipe
        self._spool = spool
        self._copies: list[Path] = []

    def take(self, file: StagedFile, count: Callable[[Concrete], Feed]) -> Taken:
        """Read a file once, front to back; its plain content is fed to a counter.

        `count` is asked for one when the format is known.

        Raises ChangedError when the file is gone or changed meanwhile,
        UnreachableError when the stage cannot be reached.
        """
        digest = Digest(file.size)
        with closing(digest):
            raw = _tee(self._stage.chunks(file), digest.update)
            try:
                taken = self._take(file, raw, count)
            except FileError as error:
                taken = Taken(file, "", problem=error.problem)
            for _ in raw:
                pass  # the digest is of the whole file, whatever was wrong with it
        taken.content_sha256 = digest.hexdigest()
        return taken

    def _take(
        self, file: StagedFile, raw: Iterator[bytes], count: Callable[[Concrete], Feed]
    ) -> Taken:
        given = self._pipe.file_format
        first, raw = _peek(raw)
        compression = compression_of(first, given.compression)
        first, plain = _peek(self._bounded(inflate(raw, compression)))
        to_decode = not isinstance(given, ParquetFormat) and kind_of(first) != "Parquet"
        encoded = False
        if to_decode and not isinstance(given, ParquetFormat):
            encoded = given.codec != "utf-8" or given.replace_invalid_characters
            if encoded:
                plain = decode(
                    plain,
                    given.codec,
                    replace_invalid=given.replace_invalid_characters,
                )
                first, plain = _peek(plain)
        known = tell_format(first, given, self._pipe.contract)
        lines = _lines_of(known, self._pipe)
        path = self._stage.path(file.name)
        feed = count(known)
        if path is not None and compression == "none" and not encoded and not lines:
            for chunk in plain:
                feed(chunk)
            return Taken(file, "", Content(path, file, check=self._check), known, first)
        return self._copy(file, plain, lines, known, feed)

    def _copy(
        self,
        file: StagedFile,
        plain: Iterable[bytes],
        lines: LinesTaken | None,
        known: Concrete,
        feed: Feed,
    ) -> Taken:
        """Write the content to the spool, under a name of its own."""
        path = self._spool / f"{os.getpid()}-{uuid.uuid4().hex}.{known.type}"
        self._copies.append(path)
        first = b""
        with path.open("xb") as copy:
            for chunk in take_lines(plain, lines) if lines else plain:
                if len(first) < FIRST_BYTES:
                    first += chunk[:FIRST_BYTES]
                feed(chunk)
                copy.write(chunk)
        found = path.stat()
        state = StagedFile(
            file.name, found.st_size, found.st_mtime_ns, found.st_ino, found.st_ctime_ns
        )
        content = Content(
            path,
            state,
            True,
            lines.lines_before if lines else 0,
            lines.bytes_before if lines else 0,
            self._check,
        )
        return Taken(file, "", content, known, first)

    def _bounded(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Pass on content until there is more of it than the pipe allows."""
        most = self._pipe.limits.max_file_bytes
        size = 0
        for chunk in chunks:
            self._check()
            size += len(chunk)
            if size > most:
                raise FileError(
                    "",
                    f"its content is larger than {most} bytes (limits.max_file_bytes)",
                )
            yield chunk

    def close(self) -> None:
        """Remove the copies."""
        for path in self._copies:
            path.unlink(missing_ok=True)


def _lines_of(known: Concrete, pipe: Pipe) -> LinesTaken | None:
    """Return what is to be done to the lines of a file, if anything is."""
    if not isinstance(known, CsvFormat):
        return None
    header: Sequence[str] = ()
    if not known.parse_header:
        header = [header_of(column) for column in pipe.contract.columns]
    if not (known.skip_header or known.comment or header):
        return None
    return LinesTaken(known, tuple(header))


def _peek(chunks: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return the first bytes, enough to tell what a file is, and all of it."""
    rest = iter(chunks)
    held: list[bytes] = []
    size = 0
    while size < FIRST_BYTES and (chunk := next(rest, None)) is not None:
        held.append(chunk)
        size += len(chunk)
    return b"".join(held), chain(held, rest)


def _tee(chunks: Iterable[bytes], feed: Feed) -> Iterator[bytes]:
    for chunk in chunks:
        feed(chunk)
        yield chunk


def without_bom(first: bytes) -> bytes:
    """Return content without its byte-order mark."""
    return first.removeprefix(BOM)
