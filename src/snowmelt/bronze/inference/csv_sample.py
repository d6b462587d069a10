"""CSV samples into the table: every record, every field as text."""

from __future__ import annotations

import csv as python_csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from snowmelt.bronze.inference.dialect import Dialect, tell_dialect
from snowmelt.bronze.inference.names import path_of
from snowmelt.bronze.inference.sample import (
    TABLE,
    Sample,
    SampleColumn,
    require_columns,
)
from snowmelt.bronze.inference.sample_files import SampleFile
from snowmelt.errors import UsageError
from snowmelt.pipe.file_format import GUESSED_ENCODING
from snowmelt.warehouse.duckdb.scratch import Connection
from snowmelt.warehouse.sql import literal

_UNREAD_MAX = 0.5
# The engine wants one text at least that means NULL: a code point no text may hold.
_NO_NULL = "\ufdd0"
_AS_BYTES = "surrogateescape"
_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


def read_csv_samples(connection: Connection, files: Sequence[SampleFile]) -> Sample:
    """Read the samples into the table.

    Raises UsageError for samples that are not alike, and for those that cannot be
    read by name or by position.
    """
    dialects = [tell_dialect(each.head, whole=each.whole) for each in files]
    dialect = _agree(files, dialects)
    dialects = [
        _settled(file, own, dialect) for file, own in zip(files, dialects, strict=True)
    ]
    columns = _columns(files, dialects)
    places = ", ".join(f"{column.place} varchar" for column in columns)
    connection.execute(f"create table {TABLE} (_file usmallint, {places})")
    sample = Sample(
        kind="csv",
        paths=tuple(each.path for each in files),
        records=[],
        columns=columns,
        file_format=_file_format(dialect, files),
        notes=_notes(dialect, files),
    )
    for number, file in enumerate(files):
        present = _present(columns, number, dialects[number])
        sample.records.append(
            _read(connection, file, number, dialects[number], present, sample.notes)
        )
    if not sum(sample.records):
        raise UsageError(
            str(files[0].path),
            "there is a header and no record to learn from",
            "Give a file with records.",
        )
    return sample


def _agree(files: Sequence[SampleFile], dialects: Sequence[Dialect]) -> Dialect:
    """Return the dialect of the samples.

    That of the sample which shows it best; each of the others must be in it.
    """
    ranked = sorted(
        range(len(files)),
        key=lambda i: (-len(dialects[i].first), -len(dialects[i].rows)),
    )
    best = ranked[0]
    dialect = _headed(dialects, dialects[best])
    for number in ranked[1:]:
        other = dialects[number]
        if len(other.first) > 1 and other.delimiter != dialect.delimiter:
            raise UsageError(
                "samples",
                "a pipe has one field delimiter: "
                f"{files[best].path} has {_named(dialect.delimiter)}, "
                f"{files[number].path} has {_named(other.delimiter)}",
                "Infer one pipe for each.",
            )
        if other.skip_header != dialect.skip_header:
            raise UsageError(
                "samples",
                "a pipe skips as many lines in every file: above the records "
                f"{files[best].path} has {dialect.skip_header}, "
                f"{files[number].path} has {other.skip_header}",
                "Infer one pipe for each.",
            )
    return dialect


def _headed(dialects: Sequence[Dialect], best: Dialect) -> Dialect:
    """Say for all samples together whether the first record is a header.

    Where nothing else tells, it is if files with different records begin with it.
    """
    said = {each.header is not None for each in dialects if each.is_sure and each.rows}
    if len(said) > 1:
        raise UsageError(
            "samples",
            "some files seem to have a header, others not",
            "Infer one pipe for each.",
        )
    if said:
        return replace(best, header=best.first if said.pop() else None, is_sure=True)
    alike = len({each.first for each in dialects}) == 1
    if len(dialects) > 1 and alike and len({each.rows for each in dialects}) > 1:
        return replace(best, header=best.first, is_sure=True)
    return best


def _settled(file: SampleFile, own: Dialect, dialect: Dialect) -> Dialect:
    """Return the common dialect with this sample's own first record."""
    if own.delimiter != dialect.delimiter:
        fields = next(
            iter(python_csv.reader([own.first[0] if own.first else ""])), [""]
        )
        own = replace(own, first=tuple(fields))
    header = own.first if dialect.header is not None else None
    if header is not None:
        _require_distinct(file, header)
    require_columns(file.path, len(own.first))
    return replace(dialect, first=own.first, header=header)


def _require_distinct(file: SampleFile, header: tuple[str, ...]) -> None:
    names = Counter(name.strip().lower() for name in header)
    twice = sorted(name for name, many in names.items() if name and many > 1)
    if twice:
        shown = ", ".join(repr(name) for name in twice[:5])
        raise UsageError(
            str(file.path),
            f"its header has {shown} more than once, and columns go by their names",
            "Name the columns apart, or write a pipe with parse_header: false and "
            "skip_header: 1, whose columns go by their position.",
        )


def _columns(
    files: Sequence[SampleFile], dialects: Sequence[Dialect]
) -> list[SampleColumn]:
    """Return the columns of all samples, in the order in which they first appear."""
    if dialects[0].header is None:
        widths = {
            len(dialect.first): file
            for file, dialect in zip(files, dialects, strict=True)
        }
        if len(widths) > 1:
            told = ", ".join(f"{file.path} has {n}" for n, file in widths.items())
            raise UsageError(
                "samples", f"files without a header have one number of columns: {told}"
            )
        everywhere = frozenset(range(len(files)))
        return [
            SampleColumn(f"c{i}", None, everywhere) for i in range(next(iter(widths)))
        ]
    seen: dict[str, tuple[str, set[int]]] = {}
    for number, dialect in enumerate(dialects):
        for name in dialect.header or ():
            if path_of([name.strip()]) is not None:
                key = name.strip().lower()
                seen.setdefault(key, (name.strip(), set()))[1].add(number)
    return [
        SampleColumn(f"c{i}", written, frozenset(where))
        for i, (written, where) in enumerate(seen.values())
    ]


def _present(
    columns: Sequence[SampleColumn], number: int, dialect: Dialect
) -> list[str | None]:
    """Return, for each field of a file, its place in the table, or None."""
    if dialect.header is None:
        return [column.place for column in columns]
    places = {(each.written or "").lower(): each.place for each in columns}
    return [places.get(name.strip().lower()) for name in dialect.header]


def _read(
    connection: Connection,
    file: SampleFile,
    number: int,
    dialect: Dialect,
    present: list[str | None],
    notes: list[str],
) -> int:
    """Add a file's records to the table and return how many there are."""
    path = _bare(file, dialect)
    fields = [place or f"unnamed_{i}" for i, place in enumerate(present)]
    unread, why = 0, ""
    try:
        unread, why = _insert(connection, path, number, dialect, fields)
    except UsageError:
        path = _rewritten(path, dialect)
        unread, why = _insert(connection, path, number, _plain(dialect), fields)
    sql = f"select count(*) from {TABLE} where _file = {number}"
    (records,) = connection.execute(sql).fetchone() or (0,)
    if unread > (records + unread) * _UNREAD_MAX:
        raise UsageError(
            str(file.path),
            f"{unread:,} of {records + unread:,} records cannot be read with "
            f"{_named(dialect.delimiter)} between the fields: {why}",
            "Is it a table?",
        )
    if unread:
        notes.append(
            f"{file.path.name}: {unread:,} of {records + unread:,} records cannot be "
            f"read and will be refused: {why}"
        )
    return int(records)


def _insert(
    connection: Connection, path: Path, number: int, dialect: Dialect, fields: list[str]
) -> tuple[int, str]:
    """Insert what the engine can read; return how many records it cannot, and why."""
    declared = ", ".join(f"'{name}': 'varchar'" for name in fields)
    wanted = ", ".join(name for name in fields if name.startswith("c"))
    quote = "" if dialect.quote == "none" else dialect.quote
    escape = "" if dialect.quote == "none" else dialect.escape
    connection.execute("begin")
    try:
        connection.execute(
            f"insert into {TABLE} (_file, {wanted}) select {number}, {wanted} from "
            f"read_csv({literal(str(path))}, auto_detect = false, "
            f"columns = {{{declared}}}, delim = {literal(dialect.delimiter)}, "
            f"quote = {literal(quote)}, escape = {literal(escape)}, "
            f"header = {str(dialect.header is not None).lower()}, "
            f"nullstr = ['{_NO_NULL}'], strict_mode = true, compression = 'none', "
            "store_rejects = true, rejects_limit = 0, hive_partitioning = false, "
            f"rejects_table = 'unread_{number}', rejects_scan = 'scan_{number}')"
        )
        found = connection.execute(
            "select count(distinct line_byte_position), any_value(error_message) "
            f"from unread_{number}"
        ).fetchone()
    except Exception as error:  # the driver's: it gives up on odd line ends
        connection.execute("rollback")
        raise UsageError(str(path), str(error).splitlines()[0]) from error
    connection.execute("commit")
    unread, why = found or (0, "")
    return unread, why.splitlines()[0].rstrip(".") if why else ""


def _bare(file: SampleFile, dialect: Dialect) -> Path:
    """Return the sample without comments and lines to skip, copied if it has any."""
    if not dialect.skip_header and not dialect.comment:
        return file.plain
    copy = file.plain.with_suffix(".bare")
    quote = "" if dialect.quote == "none" else dialect.quote
    inside = False
    with (
        file.plain.open(encoding="utf-8-sig", newline="", errors=_AS_BYTES) as source,
        copy.open("w", encoding="utf-8", newline="", errors=_AS_BYTES) as target,
    ):
        for number, line in enumerate(source):
            if number < dialect.skip_header:
                continue
            if dialect.comment and not inside and line[0] == dialect.comment:
                continue
            if quote:
                inside ^= line.replace("\\" + quote, "").count(quote) % 2 == 1
            target.write(line)
    return copy


def _rewritten(path: Path, dialect: Dialect) -> Path:
    """Return a copy in plain CSV, for what the engine's own reader gives up on."""
    copy = path.with_suffix(".rewritten")
    with (
        path.open(encoding="utf-8-sig", newline="") as source,
        copy.open("w", encoding="utf-8", newline="") as target,
    ):
        python_csv.writer(target, lineterminator="\n").writerows(
            row for row in _rows(source, dialect) if row
        )
    return copy


def _rows(lines: Iterator[str], dialect: Dialect) -> Iterator[list[str]]:
    none = dialect.quote == "none"
    backslash = dialect.escape == "\\" and not none
    try:
        yield from python_csv.reader(
            lines,
            delimiter=dialect.delimiter,
            quotechar=None if none else dialect.quote,
            quoting=python_csv.QUOTE_NONE if none else python_csv.QUOTE_MINIMAL,
            doublequote=not backslash,
            escapechar="\\" if backslash else None,
        )
    except python_csv.Error as error:
        raise UsageError("samples", f"the records cannot be split: {error}") from None


def _plain(dialect: Dialect) -> Dialect:
    return replace(dialect, delimiter=",", quote='"', escape='"')


def _file_format(dialect: Dialect, files: Sequence[SampleFile]) -> dict[str, object]:
    """Return the keys of `file_format` that are not as they are without them."""
    found: dict[str, object] = {"type": "csv"}
    encoding = files[0].encoding
    for key, value, default in (
        ("encoding", encoding, "utf8"),
        ("parse_header", dialect.header is not None, True),
        ("skip_header", dialect.skip_header, 0),
        ("field_delimiter", dialect.delimiter, ","),
        ("field_optionally_enclosed_by", dialect.quote, '"'),
        ("escape", dialect.escape, '"'),
        ("comment", dialect.comment, None),
    ):
        if value != default:
            found[key] = value
    return found


def _notes(dialect: Dialect, files: Sequence[SampleFile]) -> list[str]:
    """Return what is not sure of the format."""
    notes = []
    bad = next((each for each in files if each.bad_byte is not None), None)
    if bad is not None and files[0].encoding != GUESSED_ENCODING:
        notes.append(
            f"encoding {files[0].encoding} is a guess: byte {bad.bad_byte} of "
            f"{bad.path.name} is neither UTF-8 nor all of it Windows 1252"
        )
    elif bad is not None:
        notes.append(
            f"encoding {files[0].encoding} is a guess: byte {bad.bad_byte} of "
            f"{bad.path.name} is not UTF-8"
        )
    if not dialect.is_sure:
        if dialect.header is not None:
            notes.append("the first record is taken for a header: a guess")
        else:
            notes.append("the first record is taken for a record, no header: a guess")
    if len(dialect.first) == 1:
        notes.append("no field delimiter was found: one column")
    for name in dialect.header or ():
        if path_of([name.strip()]) is None:
            notes.append(
                f"no column can stand for the header {name!r}: it is not loaded"
            )
    return notes


def _named(delimiter: str) -> str:
    return _NAMES.get(delimiter, repr(delimiter))
