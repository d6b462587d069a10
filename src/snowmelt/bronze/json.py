"""JSON files into temporary tables: every record is loaded, or refused with its text.

The engine reads records in bulk, one a line, and says of each whether it may be other
than what was read. Those are judged one by one (`json_record`), and what they hold is
written over what the engine read. So each record has its row in the table, in file
order, and those that are refused are left out when it is copied.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from snowmelt.bronze.columns import plain_glob
from snowmelt.bronze.fileread import PLACE, FileRead
from snowmelt.bronze.inspection import Inspection
from snowmelt.bronze.json_layout import JsonLayout, Keys
from snowmelt.bronze.json_record import Judge
from snowmelt.bronze.json_rules import broken_rules
from snowmelt.bronze.json_shape import Shape, tell_shape
from snowmelt.bronze.json_split import may_hide_others
from snowmelt.bronze.json_spool import JsonSpool, Source
from snowmelt.bronze.json_statement import BAD, ODD, JsonStatement
from snowmelt.bronze.raw import Reject, RejectError
from snowmelt.errors import ChangedError, EngineError, FileError
from snowmelt.pipe.contract import Column
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.file_format import JsonFormat
from snowmelt.warehouse.port import Session
from snowmelt.warehouse.sql import identifier

_FIRST_BYTES = 1 << 18
_ODD_AT_ONCE = 20_000

Part = tuple[FileRead, Source]


@dataclass(frozen=True)
class _Look:
    """A file's rows in a table: may records have to be judged by themselves or refused?

    `lacks_values`: a column that a file must have is NULL in all of them.
    """

    rows: int = 0
    first_rowid: int = 0
    is_odd: bool = False
    is_broken: bool = False
    lacks_values: bool = False


class JsonReader:
    """Reads a batch of one pipe's files on one session."""

    def __init__(self, session: Session, pipe: Pipe, spool: Path) -> None:
        self._session = session
        self._pipe = pipe
        self._record_bytes_max = pipe.limits.max_record_bytes
        self._spool = JsonSpool(session, spool, self._record_bytes_max)
        self._numbers = count(1)

    def read(self, inspections: Sequence[Inspection]) -> list[FileRead]:
        """Read all files; the result is in the order given."""
        reads = [FileRead(each, problem=each.problem) for each in inspections]
        groups: dict[tuple[JsonLayout, JsonFormat], list[Part]] = defaultdict(list)
        for read in reads:
            if read.problem is None:
                source = self._source(read)
                if source is not None:
                    layout = source.keys.layout(self._pipe.contract)
                    groups[layout, _format_of(read)].append((read, source))
        for group in groups.values():
            self._read_group(group)
        return reads

    def close(self) -> None:
        """Remove what was put aside for reading."""
        self._spool.close()

    def _source(self, read: FileRead) -> Source | None:
        """Return what the engine is to read; nothing if the file cannot be read."""
        content = read.inspection.plain
        try:
            with content.path.open("rb") as file:
                first = file.read(_FIRST_BYTES)
            whole = len(first) == content.state.size
            shape = tell_shape(first, whole, _format_of(read), self._pipe.contract)
            return self._spool.source(read.inspection, shape)
        except (ChangedError, FileNotFoundError):
            read.changed = True
        except FileError as error:
            read.problem = error.problem
        return None

    def _read_group(self, group: list[Part]) -> None:
        """Read files of one layout at once; one by one where one stops the rest."""
        try:
            doubtful = self._read_files(group)
        except FileError:
            doubtful = [part for part in group if not self._is_read_alone(part)]
        for read, source in doubtful:
            self._read_exactly(read, source)

    def _is_read_alone(self, part: Part) -> bool:
        try:
            return not self._read_files([part])
        except FileError:
            return False

    def _read_exactly(self, read: FileRead, source: Source) -> None:
        """Read a copy in which every record is one line of an allowed length."""
        try:
            if not source.is_exact:
                source = self._spool.exact(read.inspection, source)
            if self._read_files([(read, source)]):
                read.problem = (
                    f"two readers disagree on whether there are {source.records} "
                    "records"
                )
        except ChangedError:
            read.changed = True
        except FileError as error:
            read.problem = error.problem

    def _read_files(self, group: Sequence[Part]) -> list[Part]:
        """Read files in one statement; return those whose account is in doubt.

        Raises FileError when the engine gives up, which may be for one of them.
        """
        table = f"copy_json_{next(self._numbers)}"
        paths = [plain_glob(source.path) for _, source in group]
        statement = self._statement(group[0])
        self._execute(statement.sql(paths, table))
        looks = self._look(table, statement)
        query = statement.query(PLACE) if self._pipe.external else ""
        doubtful = []
        for index, (read, source) in enumerate(group):
            look = looks.get(index, _Look())
            read.table = table
            lies_there = source.path == read.inspection.plain.path
            read.query = query if lies_there else ""
            read.first_rowid, read.row_span = look.first_rowid, look.rows
            if not self._is_counted(read, source):
                doubtful.append((read, source))
            else:
                self._account(read, source, statement, look)
        return doubtful

    def _statement(self, part: Part) -> JsonStatement:
        read, source = part
        return JsonStatement(
            _format_of(read),
            self._pipe.contract,
            source.keys.layout(self._pipe.contract),
            source.keys,
            self._record_bytes_max,
        )

    def _execute(self, sql: str) -> None:
        try:
            self._session.execute(sql)
        except EngineError:
            raise
        except Exception as error:  # the driver's; which one depends on the backend
            raise FileError("", str(error).strip().splitlines()[0]) from error

    def _look(self, table: str, statement: JsonStatement) -> dict[int, _Look]:
        """Return by file what its rows are, and whether they need a closer look."""
        broken = [rule.condition for rule in broken_rules(statement)]
        empty = [f"count({identifier(c.name)}) = 0" for c in self._required]
        found = self._session.rows(
            "select _file_index, count(*), max(rowid) - min(rowid) + 1, min(rowid), "
            f"bool_or({ODD}), coalesce(bool_or({_any(broken)}), false), {_any(empty)} "
            f"from {table} group by _file_index"
        )
        looks = {index: _Look(span, *look) for index, _, span, *look in found}
        if any(rows != looks[index].rows for index, rows, *_ in found):
            raise FileError("", "the engine mixed the records of two files")
        return looks

    @property
    def _required(self) -> list[Column]:
        """Return the columns that a file must have."""
        return [c for c in self._pipe.contract.columns if not c.optional]

    def _is_counted(self, read: FileRead, source: Source) -> bool:
        """Does our count of records confirm the engine's? If need be a careful one."""
        if read.row_span == source.records:
            return True
        try:
            careful = source.shape is Shape.LINES and not source.is_exact
            return careful and self._spool.recount(read.inspection) == read.row_span
        except ChangedError:
            read.changed = True
            return True
        except FileError:
            return False

    def _account(
        self, read: FileRead, source: Source, statement: JsonStatement, look: _Look
    ) -> None:
        """Judge the records of one file that need it, and find those to refuse."""
        if read.changed:
            return
        refused: dict[int, tuple[RejectError, ...]] = {}
        try:
            if look.is_odd:
                refused = self._judge_odd(read, source, statement)
            if look.is_odd or look.lacks_values:
                self._require_columns(read, source, statement)
            if look.is_odd or look.is_broken:
                refused |= self._broken(read, statement, refused)
            if refused:
                self._refuse(read, source, refused)
        except ChangedError:
            read.changed = True
        except FileError as error:
            read.problem = error.problem

    def _judge_odd(
        self, read: FileRead, source: Source, statement: JsonStatement
    ) -> dict[int, tuple[RejectError, ...]]:
        """Judge what the engine may have read otherwise; return errors by rowid."""
        rowids = self._rowids(read, ODD)
        read.query = ""
        judge = Judge(
            self._pipe.contract.columns, _format_of(read), self._record_bytes_max
        )
        refused: dict[int, tuple[RejectError, ...]] = {}
        for first in range(0, len(rowids), _ODD_AT_ONCE):
            some = rowids[first : first + _ODD_AT_ONCE]
            lines: dict[int, bytes] = {}
            shift = 1 - read.first_rowid
            for place in source.places.find(rowid + shift for rowid in some):
                found = judge.resolve(place.raw)
                rowid = place.ordinal - shift
                if isinstance(found, bytes):
                    lines[rowid] = found
                    continue
                _require_alone(source, place.raw, place.line, place.offset)
                refused[rowid] = (found,)
            if lines:
                self._rewrite(read.table, lines, statement)
        return refused

    def _rewrite(
        self, table: str, lines: Mapping[int, bytes], statement: JsonStatement
    ) -> None:
        """Write what was found in records over what the engine read of them."""
        path = self._spool.write(iter(lines.values()))
        names = tuple(column.name for column in self._pipe.contract.columns)
        layout = JsonLayout(tuple((name,) for name in names))
        plain = JsonStatement(
            statement.json_format,
            self._pipe.contract,
            layout,
            Keys((names,)),
            statement.record_bytes_max,
            rescues=False,
        )
        fixed = f"copy_json_{next(self._numbers)}"
        self._execute(plain.sql([plain_glob(path)], fixed))
        rowids = list(lines)
        if self._session.value(f"select count(*) from {fixed}") != len(rowids):
            raise FileError("", "two readers disagree on records that were rewritten")
        at = f"{fixed}_at"
        self._session.execute(f"create temp table {at} (place bigint, target bigint)")
        self._session.insert(at, {"place": range(len(rowids)), "target": rowids})
        taken = ", ".join(
            f"{identifier(name)} = fixed.{identifier(name)}" for name in [*names, BAD]
        )
        self._session.execute(
            f"update {table} set {taken} from {fixed} as fixed "
            f"join {at} on {at}.place = fixed.rowid "
            f"where {table}.rowid = {at}.target"
        )

    def _broken(
        self,
        read: FileRead,
        statement: JsonStatement,
        refused: Mapping[int, tuple[RejectError, ...]],
    ) -> dict[int, tuple[RejectError, ...]]:
        """Return errors, by rowid, of records that break the contract."""
        rules = broken_rules(statement)
        if not rules:
            return {}
        rows = self._session.rows(
            f"select rowid, {', '.join(rule.found for rule in rules)} "
            f"from {read.table} where {_within(read)} "
            f"and ({' or '.join(rule.condition for rule in rules)}) order by rowid"
        )
        return {
            rowid: tuple(
                rule.error(value)
                for rule, value in zip(rules, found, strict=True)
                if value is not None
            )
            for rowid, *found in rows
            if rowid not in refused
        }

    def _refuse(
        self,
        read: FileRead,
        source: Source,
        refused: Mapping[int, tuple[RejectError, ...]],
    ) -> None:
        """Turn rows of the table into rejects."""
        shift = 1 - read.first_rowid
        read.refused_rowids = sorted(refused)
        read.rejects = [
            Reject(
                place.ordinal,
                place.line,
                place.offset,
                refused[place.ordinal - shift],
                place.raw,
            )
            for place in source.places.find(
                rowid + shift for rowid in read.refused_rowids
            )
        ]

    def _require_columns(
        self, read: FileRead, source: Source, statement: JsonStatement
    ) -> None:
        """Raise FileError if no record has a column that is not optional."""
        wanted = self._required
        if not wanted or not read.row_span:
            return
        counts = ", ".join(f"count({identifier(column.name)})" for column in wanted)
        (found,) = self._session.rows(
            f"select {counts} from {read.table} where {_within(read)}"
        )
        empty = [c for c, values in zip(wanted, found, strict=True) if not values]
        if not empty:
            return
        there = self._session.rows(
            statement.presence_sql(plain_glob(source.path), empty)
        )[0]
        missing = [
            c for c, is_there in zip(empty, there, strict=True) if is_there is False
        ]
        if missing:
            many = len(missing) > 1
            names = ", ".join(f"'{column.name}'" for column in missing)
            raise FileError(
                "",
                f"required column{'s' if many else ''} {names} "
                f"{'are' if many else 'is'} in no record",
            )

    def _rowids(self, read: FileRead, condition: str) -> list[int]:
        rows = self._session.rows(
            f"select rowid from {read.table} where {_within(read)} and {condition} "
            "order by rowid"
        )
        return [rowid for (rowid,) in rows]


def _format_of(read: FileRead) -> JsonFormat:
    known = read.inspection.file_format
    assert isinstance(known, JsonFormat), "the file is no JSON"
    return known


def _any(conditions: Sequence[str]) -> str:
    return " or ".join(f"({each})" for each in conditions) or "false"


def _within(read: FileRead) -> str:
    return (
        f"rowid between {read.first_rowid} and {read.first_rowid + read.row_span - 1}"
    )


def _require_alone(source: Source, raw: bytes, line: int, offset: int) -> None:
    """Raise FileError if a broken record may be several.

    A line is one record whatever is in it; in an array a stray quote joins records.
    """
    if source.shape is not Shape.LINES and may_hide_others(raw):
        raise FileError(
            "",
            f"line {line}, byte {offset}: a quote does not close, or is one too many; "
            "what follows cannot be told apart",
        )
