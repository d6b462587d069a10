"""JSON files as the engine reads them: one record a line, none of them blank.

Most files are so already and are read where they lie. Of others a copy is written to
the spool, with where in the file each of its records stands.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from snowmelt.bronze.content import Content
from snowmelt.bronze.inspection import Inspection
from snowmelt.bronze.json_by_column import ColumnPlaces, write_records
from snowmelt.bronze.json_layout import Keys, keys_of
from snowmelt.bronze.json_lines import count_records
from snowmelt.bronze.json_places import (
    IndexedPlaces,
    LinePlaces,
    PlaceIndex,
    Places,
)
from snowmelt.bronze.json_shape import Shape
from snowmelt.bronze.json_split import Element, Splitter, on_one_line
from snowmelt.bronze.records import BOM
from snowmelt.landing.opened import OpenedFile
from snowmelt.landing.stage import StagedFile
from snowmelt.warehouse.port import Session

_SAMPLED_BYTES = 1 << 18
_HELD_TIMES = 4
_UNREADABLE = b"!"
"""Stands for a record that is too long: it is no JSON."""


@dataclass(frozen=True)
class Source:
    """A file with one record a line, how many, and where they stood in the original.

    `is_exact`: no line is blank or too long, and there is no byte-order mark.
    """

    path: Path
    records: int
    places: Places
    keys: Keys
    shape: Shape
    is_exact: bool = True


class JsonSpool:
    """Makes sources, and removes the copies it wrote."""

    def __init__(self, session: Session, spool: Path, record_bytes_max: int) -> None:
        self._session = session
        self._spool = spool
        self._record_bytes_max = record_bytes_max
        self._numbers = count(1)
        self._spooled: list[Path] = []

    def source(self, inspection: Inspection, shape: Shape) -> Source:
        """Return what the engine is to read.

        Raises FileError where a file cannot be told apart into records, ChangedError
        when it is not the one that was inspected.
        """
        content = inspection.plain
        if shape is not Shape.LINES:
            return self._unfolded(content, shape)
        places = LinePlaces(content, self._record_bytes_max)
        records, keys = inspection.records, self._keys(content.path)
        source = Source(content.path, records, places, keys, shape, is_exact=False)
        with content.path.open("rb") as file:
            has_mark = file.read(len(BOM)) == BOM  # to the engine it is a record's
        return self.exact(inspection, source) if has_mark else source

    def exact(self, inspection: Inspection, source: Source) -> Source:
        """Return the source of a copy without what the engine may take otherwise."""
        content = inspection.plain
        places = LinePlaces(content, self._record_bytes_max)
        path, records = self._path("ndjson"), 0
        with path.open("xb") as copy:
            for _, block in places.blocks():
                lines = [line.strip() for line in block.split(b"\n") if line.strip()]
                records += len(lines)
                copy.writelines(self._short(line) + b"\n" for line in lines)
        return Source(path, records, places, self._keys(path), source.shape)

    def recount(self, inspection: Inspection) -> int:
        """Count a file's lines that are not blank."""
        places = LinePlaces(inspection.plain, self._record_bytes_max)
        return sum(count_records(block) for _, block in places.blocks())

    def write(self, lines: Iterator[bytes]) -> Path:
        """Write a file of lines."""
        path = self._path("ndjson")
        with path.open("xb") as copy:
            copy.writelines(line + b"\n" for line in lines)
        return path

    def close(self) -> None:
        """Remove the copies."""
        for path in self._spooled:
            path.unlink(missing_ok=True)

    def _unfolded(self, content: Content, shape: Shape) -> Source:
        path, index = self._path("ndjson"), self._path("places")
        places: Places = IndexedPlaces(content, index)
        with content.opened() as file:
            start = len(BOM) if file.read(0, len(BOM)) == BOM else 0
            held_max = _HELD_TIMES * self._record_bytes_max
            splitter = Splitter(_chunks(file, start), held_max, start)
            if shape is Shape.COLUMNS:
                records = write_records(self._session, file, splitter, path, index)
                places = ColumnPlaces(
                    IndexedPlaces(content, index),
                    LinePlaces(_content_of(path, content), self._record_bytes_max),
                )
            else:
                found = splitter.array() if shape is Shape.ARRAY else splitter.values()
                records = self._write_elements(found, path, index)
            file.require_same()
        return Source(path, records, places, self._keys(path), shape)

    def _write_elements(self, found: Iterator[Element], path: Path, index: Path) -> int:
        with PlaceIndex(index) as places, path.open("xb") as copy:
            for element in found:
                places.add(element.offset, element.offset + len(element.raw))
                copy.write(self._short(on_one_line(element.raw)) + b"\n")
        return places.count

    def _short(self, line: bytes) -> bytes:
        return line if len(line) <= self._record_bytes_max else _UNREADABLE

    def _keys(self, path: Path) -> Keys:
        """Return the keys of the first records."""
        with path.open("rb") as file:
            first = file.read(_SAMPLED_BYTES)
        lines = first.removeprefix(BOM).split(b"\n")
        if len(first) == _SAMPLED_BYTES:
            lines.pop()
        return keys_of([line for line in lines if line.strip()])

    def _path(self, ending: str) -> Path:
        name = f"{os.getpid()}-{id(self):x}-{next(self._numbers)}.{ending}"
        path = self._spool / name
        self._spooled.append(path)
        return path


def _chunks(file: OpenedFile, start: int) -> Iterator[bytes]:
    """Yield content from an offset, in pieces as large as are read at once."""
    for number, chunk in enumerate(file.chunks()):
        yield chunk[start:] if number == 0 else chunk


def _content_of(path: Path, original: Content) -> Content:
    found = path.stat()
    state = StagedFile(
        path.name, found.st_size, found.st_mtime_ns, found.st_ino, found.st_ctime_ns
    )
    return Content(path, state, is_copy=True, check=original.check)
