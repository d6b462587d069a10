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
from itertools import count
from pathlib import Path

from snowmelt.bronze.csv_buffer import BufferSizes, largest_sizes, usual_sizes
from snowmelt.bronze.csv_statement import CsvStatement
from snowmelt.bronze.exponents import is_unit, take_misread
from snowmelt.bronze.fileread import PLACE, FileRead, ordinal_of
from snowmelt.bronze.inspection import Inspection, count_carefully
from snowmelt.bronze.layout import Layout, match_header
from snowmelt.bronze.normalised import Copied, write_normalised
from snowmelt.bronze.raw import RejectError, RejectFinder, RejectReport, is_too_long
from snowmelt.bronze.rules import broken_rules
from snowmelt.errors import ChangedError, EngineError, FileError
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.file_format import CsvFormat
from snowmelt.warehouse.port import Row, Session

_PLAIN_PATH = re.compile(r"[\w./ -]+", re.ASCII)


class CsvReader:
    """Reads a batch of one pipe's files on one session."""

    def __init__(self, session: Session, pipe: Pipe, spool: Path) -> None:
        self._session = session
        self._pipe = pipe
        self._record_bytes_max = pipe.limits.max_record_bytes
        self._largest = largest_sizes(self._record_bytes_max)
        self._spool = spool
        self._numbers = count(1)
        self._spooled: list[Path] = []

    def read(self, inspections: Sequence[Inspection]) -> list[FileRead]:
        """Read all files; the result is in the order given."""
        reads = {each.file.name: FileRead(each) for each in inspections}
        groups: dict[tuple[Layout, CsvFormat], list[FileRead]] = defaultdict(list)
        for read in reads.values():
            read.problem = read.inspection.problem
            if read.problem:
                continue
            try:
                layout = match_header(read.inspection.header, self._pipe.contract)
            except FileError as error:
                read.problem = error.problem
                continue
            groups[layout, read.inspection.csv].append(read)
        for (layout, _), group in groups.items():
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
        sizes = usual_sizes((r.inspection for r in straight), self._record_bytes_max)
        try:
            doubtful += self._read_files(layout, straight, sizes)
        except FileError:
            for read in straight:
                doubtful += self._read_alone(layout, read)
        for read in doubtful:
            self._read_normalised(layout, read)

    def _read_alone(self, layout: Layout, read: FileRead) -> list[FileRead]:
        try:
            return self._read_files(layout, [read], self._largest)
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
            copied = write_normalised(read.inspection, copy, self._record_bytes_max)
            if self._read_files(layout, [read], self._largest, copied):
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
        self,
        layout: Layout,
        reads: list[FileRead],
        sizes: BufferSizes,
        copied: Copied | None = None,
        exact_decimals: bool = False,
    ) -> list[FileRead]:
        """Read files in one statement; return those whose account is in doubt.

        Files with a record that is longer than `sizes` allow are read once more, and
        so are those with decimals that the engine may have misread.

        Raises FileError when the engine gives up, which may be for one of them.
        """
        if not reads:
            return []
        number = next(self._numbers)
        table, rejects = f"copy_{number}", self._rejects(number)
        paths = [str(copied.path)] if copied else [self._readable(r) for r in reads]
        csv, contract = reads[0].inspection.csv, self._pipe.contract
        statement = CsvStatement(csv, contract, layout, sizes, exact_decimals)
        rows = self._make_table(statement.sql(paths, table, rejects))
        spans = {0: (0, rows)} if len(paths) == 1 else self._spans(table)
        ((refused, units),) = self._session.rows(
            f"select (select count(*) from {rejects}), "
            f"(select count(*) from {table} where {is_unit(statement)})"
        )
        reports = self._reports(rejects) if refused else {}
        in_place = self._pipe.external and not copied
        query = statement.query(PLACE) if in_place else ""
        sound, doubtful, too_long = {}, [], []
        for index, (read, path) in enumerate(zip(reads, paths, strict=True)):
            read.table = table
            read.query = query
            read.first_rowid, read.row_span = spans.get(index, (0, 0))
            reported = reports.get(path, [])
            if sizes != self._largest and any(map(is_too_long, reported)):
                too_long.append(read)
            elif self._locate(read, reported, copied):
                sound[index] = read
            else:
                doubtful.append(read)
        misread = take_misread(self._session, statement, table, sound) if units else []
        doubtful += self._refuse_broken(statement, table, sound)
        if len(too_long) + len(misread) == len(reads):
            self._session.execute(f"drop table {table}")
        for read in misread:
            doubtful += self._read_files(layout, [read], sizes, copied, True)
        return doubtful + self._read_files(layout, too_long, self._largest)

    def _rejects(self, number: int) -> str:
        """Name a table of rejects as no other session does meanwhile.

        The engine keeps one counter of files per name for all sessions together: two
        that read at once under one name get each other's rejects. It never forgets a
        name.
        """
        return f"copy_rejects_{self._session.number}_{number}"

    def _make_table(self, sql: str) -> int:
        """Make a table and return its rows. Raises FileError if the engine gives up."""
        try:
            return int(self._session.value(sql))
        except EngineError:
            raise
        except Exception as error:  # the driver's; which one depends on the backend
            raise FileError("", _first_line(error)) from error

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
            if copied is not None:
                reports = copied.number(reports, read.inspection.csv)
            finder = RejectFinder(read.inspection, self._record_bytes_max)
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
            read.inspection = count_carefully(read.inspection, self._record_bytes_max)
        return found == read.inspection.records

    def _readable(self, read: FileRead) -> str:
        """Return a path the engine takes literally: to it, paths are globs."""
        path = read.inspection.plain.path
        if _PLAIN_PATH.fullmatch(str(path)) and "=" not in str(path):
            return str(path)
        link = self._spool / f"{os.getpid()}-{id(self):x}-{next(self._numbers)}.csv"
        link.symlink_to(path)
        self._spooled.append(link)
        return str(link)

    def _spans(self, table: str) -> dict[int, tuple[int, int]]:
        """Return {file index: (first rowid, rows)}."""
        found = self._session.rows(
            f"select _file_index, min(rowid), max(rowid) - min(rowid) + 1, count(*) "
            f"from {table} group by all"
        )
        for _, _, span, rows in found:
            if span != rows:
                raise FileError("", "the engine mixed the records of two files")
        return {index: (first, span) for index, first, span, _ in found}

    def _reports(self, rejects: str) -> dict[str, list[RejectReport]]:
        reports: dict[str, list[RejectReport]] = defaultdict(list)
        rows: list[Row] = self._session.rows(
            f"select file_path, line, line_byte_position, byte_position, column_name, "
            f"error_type, error_message "
            f"from {rejects} join {rejects}_scans using (scan_id, file_id) "
            f"order by file_path, line_byte_position, column_idx"
        )
        for path, *rest in rows:
            reports[path].append(RejectReport(*rest))
        return reports

    def _refuse_broken(
        self, statement: CsvStatement, table: str, reads: dict[int, FileRead]
    ) -> list[FileRead]:
        """Refuse records the engine took that break the contract.

        They leave a required column empty, hold a text that is no value of its
        column's type, or a NUL byte, which no text does. Returns the files whose
        account is in doubt.
        """
        nul_bytes = any(read.inspection.nul_bytes for read in reads.values())
        rules = broken_rules(statement, nul_bytes=nul_bytes)
        if not rules:
            return []
        rows = self._session.rows(
            f"select _file_index, rowid, {', '.join(rule.found for rule in rules)} "
            f"from {table} where {' or '.join(rule.condition for rule in rules)} "
            "order by rowid"
        )
        broken: dict[int, dict[int, tuple[RejectError, ...]]] = defaultdict(dict)
        for index, rowid, *found in rows:
            broken[index][rowid] = tuple(
                rule.error(value)
                for rule, value in zip(rules, found, strict=True)
                if value is not None
            )
        return [
            reads[index]
            for index, errors in broken.items()
            if index in reads and not self._refuse(reads[index], errors)
        ]

    def _refuse(
        self, read: FileRead, errors: dict[int, tuple[RejectError, ...]]
    ) -> bool:
        """Turn rows of the table into rejects; say whether all were found."""
        ordinals = {
            ordinal_of(rowid - read.first_rowid, read.engine_rejects): error
            for rowid, error in errors.items()
        }
        try:
            found = RejectFinder(read.inspection, self._record_bytes_max).find_refused(
                ordinals
            )
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


def _is_plain(inspection: Inspection) -> bool:
    """Can the engine read the file as it is, and our fast count check it?"""
    return inspection.ends_exact and len(inspection.line_ends) <= 1


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].strip() if lines else type(error).__name__
