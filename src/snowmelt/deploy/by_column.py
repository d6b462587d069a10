"""JSON that is one object of columns: what is loaded here, and not there.

Locally it is told by a file's beginning and read; Snowflake takes each object for a
record (https://docs.snowflake.com/en/user-guide/semistructured-data-formats), and this
one has objects where values belong. With `on_error: continue` nothing of it is loaded,
and nobody is told. So such a file is refused before it is put.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from snowmelt.bronze.decoding import compression_of, inflate
from snowmelt.bronze.json_shape import Shape, tell_shape
from snowmelt.errors import FileError, UsageError
from snowmelt.landing.pieces import form_of
from snowmelt.landing.s3_upload import LandOptions
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.file_format import JsonFormat

_FIRST_BYTES = 1 << 18
_READ_BYTES = 1 << 16
_REMEDY = (
    "Write one object a line, or one array of them: pandas' to_json takes "
    "orient='records', lines=True."
)


def require_records(
    files: Sequence[Path], options: LandOptions, pipes: Sequence[Pipe]
) -> None:
    """Refuse files that come column by column.

    Raises UsageError that names each. What cannot be read is left to who puts it.
    """
    found = [path for path in files if _is_by_column(path, options, pipes)]
    if found:
        told = "" if len(found) == 1 else f"; so are {', '.join(map(str, found[1:]))}"
        raise UsageError(
            str(found[0]),
            "it is one object of columns, and Snowpipe would take all of it for one "
            f"record{told}",
            _REMEDY,
        )


def _is_by_column(path: Path, options: LandOptions, pipes: Sequence[Pipe]) -> bool:
    name = form_of(path, options.split_bytes, options.compression).name()
    name = f"{options.into}/{name}" if options.into else name
    for pipe in pipes:
        given = pipe.file_format
        if isinstance(given, JsonFormat) and pipe.matches(name):
            try:
                first, whole = _beginning(path, given)
                shape = tell_shape(first, whole, given, pipe.contract)
            except (FileError, OSError):
                continue
            if shape is Shape.COLUMNS:
                return True
    return False


def _beginning(path: Path, given: JsonFormat) -> tuple[bytes, bool]:
    """Return the first bytes of a file, inflated, and whether they are all of it."""
    with path.open("rb") as file:
        start = file.read(_READ_BYTES)
        rest = iter(lambda: file.read(_READ_BYTES), b"")
        compression = compression_of(start, given.compression)
        return _taken(inflate(chain([start], rest), compression))


def _taken(pieces: Iterator[bytes]) -> tuple[bytes, bool]:
    first = b""
    for piece in pieces:
        first += piece
        if len(first) > _FIRST_BYTES:
            return first[:_FIRST_BYTES], False
    return first, True
