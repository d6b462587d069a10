"""CSV files into temporary tables: typed, strict, with every record accounted for.

The engine reads many files in one statement. Its report of rejects names a byte
position; the raw bytes are read again from the file, because the report cuts long
records and replaces what is not UTF-8. Its count of records is checked against a
count of our own.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from snowmelt.bronze.inspection import Inspection, Layout, match_header
from snowmelt.bronze.raw import Reject, RejectFinder, RejectReport
from snowmelt.bronze.rawfile import mapped
from snowmelt.bronze.records import normalised
from snowmelt.errors import FileError
from snowmelt.pipe.definition import CsvFormat, Pipe
from snowmelt.warehouse.port import Row, Session

_PLAIN_PATH = re.compile(r"[\w./ -]+", re.ASCII)


@dataclass
class FileRead:
    """One file's records in a temporary table, and those that were refused.

    Its rows are `table`'s rowids from `first_rowid`, `row_span` of them; those in
    `refused_rowids` were parsed but break the contract.
    """

    inspection: Inspection
    table: str = ""
    first_rowid: int = 0
    row_span: int = 0
    refused_rowids: list[int] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    engine_rejects: list[int] = field(default_factory=list)
    problem: str | None = None

    @property
    def row_count(self) -> int:
        return self.row_span - len(self.refused_rowids)

    @property
    def row_parsed(self) -> int:
        return self.row_count + len(self.rejects)


class CsvReader:
    """Reads a batch of one pipe's files on one session."""

    def __init__(self, session: Session, pipe: Pipe, spool: Path) -> None:
        self._session = session
        self._pipe = pipe
        self._csv: CsvFormat = pipe.file_format
        self._spool = spool
        self._numbers = count(1)
        self._spooled: list[Path] = []

    def read(self, inspections: Sequence[Inspection]) -> list[FileRead]:
        """Read all files; the result is in the order given."""
        reads = {each.file.name: FileRead(each) for each in inspections}
        groups: dict[Layout, list[FileRead]] = defaultdict(list)
        for read in reads.values():
            read.problem = read.inspection.problem
            if read.problem:
                continue
            try:
                layout = match_header(read.inspection.header, self._pipe.contract)
            except FileError as error:
                read.problem = error.problem
                continue
            groups[layout].append(read)
        for layout, group in groups.items():
            self._read_group(layout, group)
        return list(reads.values())

    def close(self) -> None:
        """Remove what was put aside for reading."""
        for path in self._spooled:
            path.unlink(missing_ok=True)

    def _read_group(self, layout: Layout, group: list[FileRead]) -> None:
        """Read files of one layout at once; one by one where one stops the rest."""
        straight = [read for read in group if len(read.inspection.line_ends) <= 1]
        try:
            self._read_files(layout, straight)
        except FileError:
            for read in straight:
                self._read_alone(layout, read)
        for read in group:
            mixed = len(read.inspection.line_ends) > 1
            if mixed or (read.problem is None and self._is_doubtful(read)):
                self._read_normalised(layout, read)

    def _is_doubtful(self, read: FileRead) -> bool:
        """Does the engine's account need the slow reader's word?"""
        if read.row_parsed != read.inspection.records:
            return True
        return bool(read.inspection.blank_lines and read.rejects)

    def _read_alone(self, layout: Layout, read: FileRead) -> None:
        try:
            self._read_files(layout, [read])
        except FileError as error:
            read.problem = error.problem

    def _read_normalised(self, layout: Layout, read: FileRead) -> None:
        r"""Read a copy in which every record ends with \n and no line is blank.

        The count of its records is the slow reader's: if the engine still finds
        another number the file is refused, since some record has no account.
        """
        copy = self._spool / f"{os.getpid()}-{id(self):x}-{next(self._numbers)}.csv"
        self._spooled.append(copy)
        records = -1
        with mapped(read.inspection.path) as content, copy.open("wb") as target:
            for piece in normalised(content, self._csv):
                records += piece == b"\n"
                target.write(piece)
        try:
            self._read_files(layout, [read], copy)
        except FileError as error:
            read.problem = error.problem
            return
        if read.problem is None and read.row_parsed != records:
            read.problem = (
                f"two readers disagree: {read.row_parsed} records or {records}; "
                "look for quotes that are not doubled"
            )

    def _read_files(
        self, layout: Layout, reads: list[FileRead], copy: Path | None = None
    ) -> None:
        if not reads:
            return
        number = next(self._numbers)
        table, rejects = f"copy_{number}", f"copy_rejects_{number}"
        paths = [str(copy)] if copy else [self._readable(read) for read in reads]
        sql = self._statement(layout, paths, table, rejects)
        try:
            self._session.execute(sql)
        except Exception as error:  # the driver's; which one depends on the backend
            raise FileError("", _first_line(error)) from error
        spans = self._spans(table, len(paths))
        reports = self._reports(rejects, paths)
        for index, (read, path) in enumerate(zip(reads, paths, strict=True)):
            read.table = table
            read.first_rowid, read.row_span = spans.get(index, (0, 0))
            finder = RejectFinder(read.inspection.path, self._csv, copy is not None)
            found = finder.find(reports.get(path, []))
            read.problem = found.problem
            read.rejects = found.rejects
            read.engine_rejects = [reject.file_row for reject in found.rejects]
            read.refused_rowids = []
        self._refuse_nulls(table, reads, copy)

    def _readable(self, read: FileRead) -> str:
        """Return a path the engine takes literally: to it, paths are globs."""
        path = read.inspection.path
        if _PLAIN_PATH.fullmatch(str(path)) and "=" not in str(path):
            return str(path)
        link = self._spool / f"{os.getpid()}-{id(self):x}-{next(self._numbers)}.csv"
        link.symlink_to(path)
        self._spooled.append(link)
        return str(link)

    def _statement(
        self, layout: Layout, paths: list[str], table: str, rejects: str
    ) -> str:
        """Return the one statement that reads these files."""
        contract = self._pipe.contract.columns
        types = {column.name: column.type for column in contract}
        names = [name or f"_unknown_{i}" for i, name in enumerate(layout.columns)]
        declared = ", ".join(
            f"'{name}': '{types.get(name, 'varchar')}'" for name in names
        )
        selected = ", ".join(
            f'"{column.name}"'
            if column.name in layout.present
            else f'null::{column.type} as "{column.name}"'
            for column in contract
        )
        index = "file_index" if len(paths) > 1 else "0"
        csv = self._csv
        options = {
            "columns": f"{{{declared}}}",
            "auto_detect": "false",
            "header": "true",
            "delim": _literal(csv.field_delimiter),
            "quote": _literal(csv.field_optionally_enclosed_by),
            "escape": _literal(csv.escape),
            "nullstr": _list(csv.null_if),
            "strict_mode": "true",
            "store_rejects": "true",
            "rejects_limit": "0",
            "rejects_table": f"'{rejects}'",
            "rejects_scan": f"'{rejects}_scans'",
            "hive_partitioning": "false",
        }
        if csv.date_format:
            options["dateformat"] = _literal(csv.date_format)
        if csv.timestamp_format:
            options["timestampformat"] = _literal(csv.timestamp_format)
        given = ", ".join(f"{name} = {value}" for name, value in options.items())
        return (
            f"create temp table {table} as "
            f"select {selected}, {index} as _file_index "
            f"from read_csv({_list(paths)}, {given})"
        )

    def _spans(self, table: str, files: int) -> dict[int, tuple[int, int]]:
        """Return {file index: (first rowid, rows)}."""
        if files == 1:
            rows = self._session.value(f"select count(*) from {table}")
            return {0: (0, rows)}
        found = self._session.rows(
            f"select _file_index, min(rowid), max(rowid) - min(rowid) + 1, count(*) "
            f"from {table} group by all"
        )
        for _, _, span, rows in found:
            if span != rows:
                raise FileError("", "the engine mixed the records of two files")
        return {index: (first, span) for index, first, span, _ in found}

    def _reports(self, rejects: str, paths: list[str]) -> dict[str, list[RejectReport]]:
        rows: list[Row] = self._session.rows(
            f"select file_path, line, line_byte_position, byte_position, column_name, "
            f"error_type, error_message, length(csv_line) "
            f"from {rejects} join {rejects}_scans using (scan_id, file_id) "
            f"order by file_path, line_byte_position, column_idx"
        )
        reports: dict[str, list[RejectReport]] = defaultdict(list)
        for path, *rest in rows:
            reports[path].append(RejectReport(*rest))
        return reports

    def _refuse_nulls(
        self, table: str, reads: list[FileRead], copy: Path | None
    ) -> None:
        """Refuse records that leave a required column empty."""
        required = [c.name for c in self._pipe.contract.columns if not c.nullable]
        if not required:
            return
        cases = " ".join(f"when \"{name}\" is null then '{name}'" for name in required)
        rows = self._session.rows(
            f"select _file_index, rowid, case {cases} end as broken "
            f"from {table} where broken is not null order by rowid"
        )
        broken: dict[int, dict[int, str]] = defaultdict(dict)
        for index, rowid, column in rows:
            broken[index][rowid] = column
        for index, columns in broken.items():
            read = reads[index]
            if read.problem:
                continue
            ordinals = {
                ordinal_of(rowid - read.first_rowid, read.engine_rejects): column
                for rowid, column in columns.items()
            }
            finder = RejectFinder(read.inspection.path, self._csv, copy is not None)
            read.rejects = sorted(
                [*read.rejects, *finder.find_nulls(ordinals)],
                key=lambda reject: reject.file_row,
            )
            read.refused_rowids = sorted(columns)


def ordinal_of(rank: int, engine_rejects: Sequence[int]) -> int:
    """Return the ordinal in the file of the accepted record number `rank` (from 0).

    `engine_rejects` are the ordinals, ascending, of records the engine left out.
    """
    low, high = 0, len(engine_rejects)
    while low < high:
        middle = (low + high) // 2
        if engine_rejects[middle] - (middle + 1) <= rank:
            low = middle + 1
        else:
            high = middle
    return rank + 1 + low


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _list(texts: Sequence[str]) -> str:
    return "[" + ", ".join(_literal(text) for text in texts) + "]"


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].strip() if lines else type(error).__name__
