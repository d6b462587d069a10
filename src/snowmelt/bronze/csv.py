"""CSV files into temporary tables: typed, strict, with every record accounted for.

The engine reads many files in one statement. Its report of rejects names a byte
position; the raw bytes are read again from the file, because the report cuts long
records and replaces what is not UTF-8. Its count of records is checked against a
count of our own. Where the two differ, or ours is not exact, a copy of the file is
read in which every record ends alike; if they differ there too, the file is refused.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from snowmelt.bronze.inspection import (
    Inspection,
    Layout,
    count_carefully,
    match_header,
)
from snowmelt.bronze.normalised import Copied, write_normalised
from snowmelt.bronze.raw import UNKNOWN, Reject, RejectError, RejectFinder, RejectReport
from snowmelt.errors import ChangedError, EngineError, FileError
from snowmelt.pipe.definition import CsvFormat, Pipe
from snowmelt.warehouse.port import Row, Session

_PLAIN_PATH = re.compile(r"[\w./ -]+", re.ASCII)
# The engine wants one text at least that means NULL: a code point no text may hold.
_NO_NULL = "\ufdd0"


@dataclass
class FileRead:
    """One file's records in a temporary table, and those that were refused.

    Its rows are `table`'s rowids from `first_rowid`, `row_span` of them; those in
    `refused_rowids` were parsed but break the contract. `problem`: why nothing of it
    can be loaded. `changed`: it is not the file that was staged any more.
    """

    inspection: Inspection
    table: str = ""
    first_rowid: int = 0
    row_span: int = 0
    refused_rowids: list[int] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    engine_rejects: list[int] = field(default_factory=list)
    problem: str | None = None
    changed: bool = False

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
        doubtful = [read for read in group if not _is_plain(read.inspection)]
        straight = [read for read in group if _is_plain(read.inspection)]
        try:
            doubtful += self._read_files(layout, straight)
        except FileError:
            for read in straight:
                doubtful += self._read_alone(layout, read)
        for read in doubtful:
            self._read_normalised(layout, read)

    def _read_alone(self, layout: Layout, read: FileRead) -> list[FileRead]:
        try:
            return self._read_files(layout, [read])
        except FileError:
            return [read]

    def _read_normalised(self, layout: Layout, read: FileRead) -> None:
        """Read a copy in which every record ends alike and no line is blank.

        The count of its records is exact: if the engine still finds another number
        the file is refused, since some record has no account.
        """
        copy = self._spool / f"{os.getpid()}-{id(self):x}-{next(self._numbers)}.csv"
        self._spooled.append(copy)
        read.problem = None
        try:
            copied = write_normalised(read.inspection, self._csv, copy)
            if self._read_files(layout, [read], copied):
                read.problem = read.problem or (
                    f"two readers disagree on whether there are {copied.records} "
                    "records; look for quotes that are not doubled"
                )
            elif copied.unclosed:
                read.rejects.append(copied.unclosed)
        except ChangedError:
            read.changed = True
        except FileError as error:
            read.problem = error.problem

    def _read_files(
        self, layout: Layout, reads: list[FileRead], copied: Copied | None = None
    ) -> list[FileRead]:
        """Read files in one statement; return those whose account is in doubt.

        Raises FileError when the engine gives up, which may be for one of them.
        """
        if not reads:
            return []
        number = next(self._numbers)
        table, rejects = f"copy_{number}", f"copy_rejects_{number}"
        paths = [str(copied.path)] if copied else [self._readable(r) for r in reads]
        sql = self._statement(layout, paths, table, rejects)
        try:
            self._session.execute(sql)
        except EngineError:
            raise
        except Exception as error:  # the driver's; which one depends on the backend
            raise FileError("", _first_line(error)) from error
        spans = self._spans(table, len(paths))
        reports = self._reports(rejects, paths)
        doubtful = []
        for index, (read, path) in enumerate(zip(reads, paths, strict=True)):
            read.table = table
            read.first_rowid, read.row_span = spans.get(index, (0, 0))
            if not self._locate(read, reports.get(path, []), copied):
                doubtful.append(read)
        sound = {i: read for i, read in enumerate(reads) if read not in doubtful}
        return doubtful + self._refuse_broken(layout, table, sound)

    def _locate(
        self, read: FileRead, reports: list[RejectReport], copied: Copied | None
    ) -> bool:
        """Find the engine's rejects in the file; say whether the account is sound."""
        found = read.row_span + len({report.line for report in reports})
        try:
            if copied is None and not self._is_counted(read, found):
                return False
            if copied is not None and found != copied.records:
                return False
            if copied is None and reports and read.inspection.blank_lines:
                return False
            finder = RejectFinder(read.inspection, self._csv)
            read.rejects = finder.find(reports, by_ordinal=copied is not None)
        except ChangedError:
            read.changed = True
        except FileError as error:
            read.problem = error.problem
            return False
        read.engine_rejects = [reject.file_row for reject in read.rejects]
        read.refused_rowids = []
        return True

    def _is_counted(self, read: FileRead, found: int) -> bool:
        """Does our count confirm what the engine found? If need be a careful one."""
        if found != read.inspection.records and not read.inspection.careful:
            read.inspection = count_carefully(read.inspection, self._csv)
        return found == read.inspection.records

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
        names = [name or f"{UNKNOWN}{i}" for i, name in enumerate(layout.columns)]
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
        options = self._options() | {
            "columns": f"{{{declared}}}",
            "rejects_table": f"'{rejects}'",
            "rejects_scan": f"'{rejects}_scans'",
        }
        given = ", ".join(f"{name} = {value}" for name, value in options.items())
        return (
            f"create temp table {table} as "
            f"select {selected}, {index} as _file_index "
            f"from read_csv({_list(paths)}, {given})"
        )

    def _options(self) -> dict[str, str]:
        """Return how the engine is to read: nothing is guessed, nothing forgiven."""
        csv = self._csv
        options = {
            "auto_detect": "false",
            "compression": "'none'",
            "header": "true",
            "delim": _literal(csv.field_delimiter),
            "quote": _literal(csv.field_optionally_enclosed_by),
            "escape": _literal(csv.escape),
            "nullstr": _list(csv.null_if or [_NO_NULL]),
            "strict_mode": "true",
            "store_rejects": "true",
            "rejects_limit": "0",
            "hive_partitioning": "false",
        }
        if csv.date_format:
            options["dateformat"] = _literal(csv.date_format)
        if csv.timestamp_format:
            options["timestampformat"] = _literal(csv.timestamp_format)
        return options

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
            f"error_type, error_message "
            f"from {rejects} join {rejects}_scans using (scan_id, file_id) "
            f"order by file_path, line_byte_position, column_idx"
        )
        reports: dict[str, list[RejectReport]] = defaultdict(list)
        for path, *rest in rows:
            reports[path].append(RejectReport(*rest))
        return reports

    def _refuse_broken(
        self, layout: Layout, table: str, reads: dict[int, FileRead]
    ) -> list[FileRead]:
        """Refuse records the engine took that break the contract.

        They leave a required column empty, or hold a NUL byte, which no text does.
        Returns the files whose account is in doubt.
        """
        rules = self._rules(layout, [read.inspection for read in reads.values()])
        if not rules:
            return []
        flags = ", ".join(f"coalesce({rule}, false)" for rule in rules.values())
        rows = self._session.rows(
            f"select _file_index, rowid, {flags} from {table} "
            f"where {' or '.join(rules.values())} order by rowid"
        )
        broken: dict[int, dict[int, tuple[RejectError, ...]]] = defaultdict(dict)
        for index, rowid, *found in rows:
            broken[index][rowid] = tuple(
                error for error, is_so in zip(rules, found, strict=True) if is_so
            )
        return [
            reads[index]
            for index, errors in broken.items()
            if index in reads and not self._refuse(reads[index], errors)
        ]

    def _rules(
        self, layout: Layout, inspections: Sequence[Inspection]
    ) -> dict[RejectError, str]:
        """Return what breaks the contract, each with the condition that finds it."""
        rules: dict[RejectError, str] = {}
        nul_bytes = any(inspection.nul_bytes for inspection in inspections)
        for column in self._pipe.contract.columns:
            name = column.name
            if not column.nullable:
                empty = RejectError(
                    name, "NULL VALUE", f"required column '{name}' is empty"
                )
                rules[empty] = f'"{name}" is null'
            if nul_bytes and column.type == "varchar" and name in layout.present:
                nul = RejectError(name, "NUL BYTE", f"'{name}' holds a NUL byte")
                rules[nul] = f'contains("{name}", chr(0))'
        return rules

    def _refuse(
        self, read: FileRead, errors: dict[int, tuple[RejectError, ...]]
    ) -> bool:
        """Turn rows of the table into rejects; say whether all were found."""
        ordinals = {
            ordinal_of(rowid - read.first_rowid, read.engine_rejects): error
            for rowid, error in errors.items()
        }
        try:
            found = RejectFinder(read.inspection, self._csv).find_refused(ordinals)
        except ChangedError:
            read.changed = True
            return True
        except FileError as error:
            read.problem = error.problem
            return False
        read.rejects = sorted(
            [*read.rejects, *found], key=lambda reject: reject.file_row
        )
        read.refused_rowids = sorted(errors)
        return True


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


def _is_plain(inspection: Inspection) -> bool:
    """Can the engine read the file as it is, and our fast count check it?"""
    return inspection.ends_exact and len(inspection.line_ends) <= 1


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _list(texts: Sequence[str]) -> str:
    return "[" + ", ".join(_literal(text) for text in texts) + "]"


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].strip() if lines else type(error).__name__
