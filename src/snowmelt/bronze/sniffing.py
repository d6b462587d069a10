"""What a file is, from its first bytes: Parquet, JSON, or CSV with which delimiter."""

from __future__ import annotations

from snowmelt.bronze.decoding import kind_of
from snowmelt.bronze.layout import header_of
from snowmelt.bronze.records import BOM, find_records, split_record
from snowmelt.errors import FileError
from snowmelt.pipe.contract import Contract
from snowmelt.pipe.file_format import (
    AutoFormat,
    Concrete,
    CsvFormat,
    FileFormat,
    JsonFormat,
    ParquetFormat,
)

_DELIMITERS = (",", ";", "\t", "|")


def tell_format(first: bytes, given: FileFormat, contract: Contract) -> Concrete:
    """Return the format of one file: the given one, unless that is `auto`.

    Raises FileError for what can be none of them.
    """
    kind = kind_of(first)
    if kind and not (kind == "Parquet" and given.type in ("parquet", "auto")):
        raise FileError("", f"the file is not {given.type}: it looks like {kind}")
    if not isinstance(given, AutoFormat):
        return given
    if kind == "Parquet":
        return ParquetFormat(compression=given.compression)
    shared = given.model_dump(exclude={"type"})
    if first.removeprefix(BOM).lstrip()[:1] in (b"{", b"["):
        return JsonFormat(**shared)
    return _fitting_csv(first, CsvFormat(**shared), contract)


def _fitting_csv(first: bytes, csv: CsvFormat, contract: Contract) -> CsvFormat:
    """Choose the delimiter under which the header has most of the columns."""
    wanted = {header_of(column) for column in contract.columns}

    def score(candidate: CsvFormat) -> int:
        start = len(BOM) if first.startswith(BOM) else 0
        span = next(find_records(first, candidate, start), None)
        if span is None:
            return 0
        try:
            text = first[span.start : span.end].decode(errors="replace")
            fields = split_record(text, candidate)
        except FileError:
            return 0
        return len({field.strip().lower() for field in fields} & wanted)

    candidates = [
        csv.model_copy(update={"field_delimiter": delimiter})
        for delimiter in _DELIMITERS
    ]
    return max(candidates, key=score)
