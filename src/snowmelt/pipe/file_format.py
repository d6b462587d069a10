"""How the files of a pipe are written. Names are Snowflake's, in lower case.

https://docs.snowflake.com/en/sql-reference/sql/create-file-format
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from snowmelt.pipe.time_format import to_strptime

OneByte = Annotated[str, Field(pattern=r"^[\x01-\x7f]$")]
_NOTHING = "\x00"

NOT_UTF8 = "bytes that are not UTF-8"
"""What is told of a record whose text is in another encoding."""
GUESSED_ENCODING = "windows1252"
"""What such a text is in most of the time; it takes Latin-1 for what it is, too."""

# Snowflake's names of encodings, and Python's.
ENCODINGS = {
    "utf8": "utf-8",
    "utf16": "utf-16",
    "utf16le": "utf-16-le",
    "utf16be": "utf-16-be",
    "utf32": "utf-32",
    "utf32le": "utf-32-le",
    "utf32be": "utf-32-be",
    **{f"iso8859{part}": f"iso8859-{part}" for part in (1, 2, 5, 6, 7, 8, 9, 15)},
    **{f"windows{page}": f"cp{page}" for page in range(1250, 1257)},
    "ibm437": "cp437",
    "ibm850": "cp850",
    "big5": "big5",
    "euckr": "euc-kr",
    "eucjp": "euc-jp",
    "gb18030": "gb18030",
    "shiftjis": "shift-jis",
    "koi8r": "koi8-r",
    # what people call them
    "latin1": "iso8859-1",
    "cp1252": "cp1252",
}


class _Format(BaseModel):
    """What every format has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    compression: Literal["auto", "gzip", "zstd", "none"] = Field(
        "auto", description="Told by the file's first bytes: auto."
    )


class _TextFormat(_Format):
    """What formats of text have."""

    encoding: str = Field(
        "utf8", description="utf8, utf16, iso88591, windows1252 and others."
    )
    replace_invalid_characters: bool = Field(
        False, description="U+FFFD for bytes that are none of the encoding's."
    )
    null_if: tuple[str, ...] = Field(("",), description="Texts that mean NULL.")
    trim_space: bool = Field(False, description="Take spaces off both ends of a text.")
    date_format: str | None = Field(
        None, description="Such as DD.MM.YYYY; ISO 8601 without it."
    )
    time_format: str | None = Field(
        None, description="Such as HH24:MI; ISO 8601 without it."
    )
    timestamp_format: str | None = Field(
        None, description="Such as DD.MM.YYYY HH24:MI:SS; ISO 8601 without it."
    )

    @field_validator("encoding")
    @classmethod
    def _known(cls, given: str) -> str:
        name = re.sub(r"[-_ ]", "", given.lower())
        if name not in ENCODINGS:
            raise ValueError(f"unknown encoding: use one of {', '.join(ENCODINGS)}")
        return name

    @field_validator("date_format", "time_format", "timestamp_format")
    @classmethod
    def _readable(cls, given: str | None) -> str | None:
        if given is None or given.lower() == "auto":
            return None
        to_strptime(given)
        return given

    @property
    def codec(self) -> str:
        """Return Python's name of the encoding."""
        return ENCODINGS[self.encoding]


class CsvFormat(_TextFormat):
    """Records of fields between delimiters."""

    type: Literal["csv"] = "csv"
    parse_header: bool = Field(
        True,
        description="The first record names the columns; without it they stand in "
        "the contract's order.",
    )
    skip_header: int = Field(
        0, ge=0, le=10_000, description="Lines to skip before anything else."
    )
    field_delimiter: OneByte = Field(",", description="Between two fields.")
    field_optionally_enclosed_by: OneByte | Literal["none"] = Field(
        '"', description="Around a field that holds delimiters or line ends."
    )
    escape: OneByte = Field(
        '"', description="Before the enclosing character inside a field."
    )
    comment: OneByte | None = Field(
        None, description="Lines that begin with it are left out."
    )
    empty_field_as_null: bool = Field(
        True, description="Two delimiters with nothing between them mean NULL."
    )
    decimal_separator: Literal[".", ","] = Field(
        ".", description="Between a number's whole and its fraction."
    )

    @model_validator(mode="after")
    def _distinct(self) -> CsvFormat:
        marks = [self.field_delimiter, self.field_optionally_enclosed_by]
        if marks[0] == marks[1] or self.escape == marks[0]:
            raise ValueError("delimiter, quote and escape must differ")
        marks += [self.escape, self.comment or ""]
        if any(mark and mark in "\r\n" for mark in marks):
            raise ValueError("a line end cannot be delimiter, quote, escape or comment")
        if self.comment and self.comment in marks[:3]:
            raise ValueError("the comment mark must differ from the others")
        return self

    @property
    def quote(self) -> str:
        """Return the enclosing character; one that no text may hold if none is."""
        given = self.field_optionally_enclosed_by
        return _NOTHING if given == "none" else given

    @property
    def quote_escape(self) -> str:
        """Return the escape; where nothing encloses, nothing is escaped."""
        return _NOTHING if self.quote == _NOTHING else self.escape


class JsonFormat(_TextFormat):
    """One JSON object a record: by line, in an array, or column by column."""

    type: Literal["json"] = "json"
    strip_outer_array: bool | None = Field(
        None, description="Are the records in one array? Told by the file without it."
    )
    orient: Literal["auto", "records", "columns"] = Field(
        "auto",
        description="columns: one object, with an object of values for each column.",
    )
    strip_null_values: bool = Field(
        False, description="Leave nulls out of values kept as JSON."
    )
    allow_duplicate: bool = Field(
        False, description="May a key be there twice? The last one counts then."
    )


class ParquetFormat(_Format):
    """Columns with types of their own."""

    type: Literal["parquet"] = "parquet"


class AutoFormat(_TextFormat):
    """Told file by file: Parquet, JSON, or CSV with the delimiter that fits."""

    type: Literal["auto"] = "auto"


FORMATS = ("csv", "json", "parquet", "auto")
Concrete = CsvFormat | JsonFormat | ParquetFormat


def _resolve(given: Any, context: ValidationInfo) -> Any:
    """Look up a format that is given by its name; one without a type is CSV."""
    if isinstance(given, str):
        named = (context.context or {}).get("file_formats", {})
        if given not in named:
            known = ", ".join(named) or "none; name it under file_formats: there"
            raise ValueError(f"snowmelt.yml has no file format '{given}': {known}")
        return named[given]
    if isinstance(given, dict):
        return {"type": "csv"} | given
    return given


FileFormat = Annotated[
    Annotated[
        CsvFormat | JsonFormat | ParquetFormat | AutoFormat,
        Field(discriminator="type"),
    ],
    BeforeValidator(
        _resolve, str | CsvFormat | JsonFormat | ParquetFormat | AutoFormat
    ),
]
