"""Where records stand in their files: physical lines, or why there are none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from snowmelt.bronze.originals import Original, Originals
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.evolved import effective_pipe
from snowmelt.pipe.file_format import CsvFormat, JsonFormat
from snowmelt.pipe.history import LoadRecord, load_record
from snowmelt.service.parts import Parts
from snowmelt.warehouse.port import Session

LINES_BYTES_MAX = 64 * 1024 * 1024
"""Files are read for lines until they were so many bytes together."""


@dataclass(frozen=True)
class Place:
    """Where a record stands: its line and its bytes, or why nobody knows the line."""

    line: int | None = None
    raw: str | None = None
    why: str | None = None


class Places:
    """Finds the lines of records, file by file."""

    def __init__(self, parts: Parts, session: Session) -> None:
        self._parts = parts
        self._session = session
        self._left = LINES_BYTES_MAX
        self._pipes = {
            each.full_table_name.lower(): each for each in parts.project.pipes
        }

    def find(
        self, table: str, records: Iterable[tuple[int, int]]
    ) -> dict[tuple[int, int], Place]:
        """Return the places of (load, record) of a bronze table, named schema.name."""
        by_load: dict[int, list[int]] = {}
        for load_seq, file_row in records:
            by_load.setdefault(load_seq, []).append(file_row)
        pipe = self._pipes.get(table.lower())
        places = {}
        for load_seq, file_rows in sorted(by_load.items()):
            load = load_record(self._session, load_seq)
            found = self._find(pipe, load, file_rows) if pipe and load else {}
            for file_row in file_rows:
                places[load_seq, file_row] = found.get(file_row, Place())
        return places

    def _find(
        self, pipe: Pipe, load: LoadRecord, file_rows: list[int]
    ) -> dict[int, Place]:
        pipe = effective_pipe(self._session, pipe)
        if load.replay_of is not None:  # records keep the place they had
            refused = load_record(self._session, load.replay_of)
            return self._find(pipe, refused, file_rows) if refused else {}
        if load.file_size > self._left:
            told = "its file is large; the line is looked for with --lines"
            return dict.fromkeys(file_rows, Place(why=told))
        self._left -= load.file_size
        originals = Originals(self._parts.stage, pipe, self._parts.project.spool)
        found = originals.find(load, file_rows)
        archive = self._archive_of(load)
        if not found and archive:
            archived = replace(load, file_name=f"{archive}/{load.file_name}")
            found = originals.find(archived, file_rows)
        why = None if found else self._why_not(pipe, load, archive)
        return {each: _place(found.get(each), why) for each in file_rows}

    def look_in_large_files(self) -> None:
        """Read files for lines however large they are."""
        self._left = 1 << 62

    def _archive_of(self, load: LoadRecord) -> str | None:
        target = self._session.value(
            "select target from snowmelt.after_load "
            "where load_seq = $1 and action = 'archive' and state = 'done'",
            [load.load_seq],
        )
        return str(target).strip("/") if target else None

    def _why_not(self, pipe: Pipe, load: LoadRecord, archive: str | None) -> str:
        staged = self._parts.stage.look(load.file_name)
        if staged is None and archive:
            return f"its file is not in the archive {archive}"
        if staged is None:
            purged = self._session.value(
                "select count(*) from snowmelt.after_load where load_seq = $1 "
                "and action = 'purge' and state = 'done'",
                [load.load_seq],
            )
            return "its file was purged" if purged else "its file is gone"
        if not isinstance(pipe.file_format, CsvFormat | JsonFormat):
            return "records of Parquet are no lines"
        if staged.size != load.file_size or load.superseded_by is not None:
            return "its file is another version by now"
        if isinstance(pipe.file_format, JsonFormat):
            return "its records are no lines"
        return "its file is another version by now"


def _place(original: Original | None, why: str | None) -> Place:
    if original is None:
        return Place(why=why)
    return Place(original.line, original.raw.decode("utf-8", "backslashreplace"))
