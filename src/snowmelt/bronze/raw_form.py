"""How a load's raw records are written, kept with the load so that they can be read.

Raw records of CSV stand as they stood in the file, in UTF-8; those of JSON and of
Parquet as one JSON object each.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from snowmelt.bronze.inspection import Inspection
from snowmelt.bronze.json_split import on_one_line
from snowmelt.bronze.lines import write_record
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.file_format import Concrete, CsvFormat, JsonFormat

_MARKS = ("field_delimiter", "field_optionally_enclosed_by", "escape")
_SHARED = ("null_if", "trim_space", "date_format", "time_format", "timestamp_format")
_OF_CSV = ("empty_field_as_null", "decimal_separator")
_OF_JSON = ("strip_null_values", "allow_duplicate")


@dataclass(frozen=True)
class RawForm:
    """The names of the fields and, for CSV, the marks between and around them."""

    header: tuple[str, ...]
    marks: dict[str, str] | None

    @classmethod
    def of(cls, inspection: Inspection) -> RawForm:
        """Return the form of a file's raw records."""
        known = inspection.file_format
        if not isinstance(known, CsvFormat):
            return cls((), None)
        return cls(inspection.header, {name: getattr(known, name) for name in _MARKS})

    @classmethod
    def read(cls, text: str | None) -> RawForm:
        """Read what `write` wrote; loads of the first version have the names alone."""
        kept = json.loads(text or "[]")
        if isinstance(kept, list):
            return cls(tuple(kept), {})
        return cls(tuple(kept["header"]), kept["marks"])

    def write(self) -> str:
        """Return the form as JSON text."""
        kept = {"header": self.header, "marks": self.marks}
        return json.dumps(kept, ensure_ascii=False)

    def format_of(self, pipe: Pipe) -> Concrete:
        """Return how a file of raw records is read, under the pipe's options of now."""
        names = (*_SHARED, *(_OF_JSON if self.marks is None else _OF_CSV))
        options = {
            name: getattr(pipe.file_format, name)
            for name in names
            if hasattr(pipe.file_format, name)
        }
        if self.marks is None:
            return JsonFormat(
                compression="none", strip_outer_array=False, orient="records", **options
            )
        return CsvFormat(compression="none", **(options | self.marks))

    def compose(self, raws: Sequence[bytes]) -> bytes:
        """Return a file of raw records."""
        if self.marks is None:
            return b"\n".join([*map(on_one_line, raws), b""])
        header = write_record(self.header, CsvFormat.model_validate(self.marks))
        return b"\n".join([header, *raws, b""])
