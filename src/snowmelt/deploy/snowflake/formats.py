"""File formats of pipes as Snowflake writes them: mapped, or refused by name. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from snowmelt.deploy.snowflake.places import Findings, PipeFile
from snowmelt.deploy.snowflake.sql import Word, Written
from snowmelt.pipe.file_format import CsvFormat, JsonFormat, ParquetFormat

Options = tuple[tuple[str, Written], ...]
_COMPRESSIONS = {"auto": "AUTO", "gzip": "GZIP", "zstd": "ZSTD", "none": "NONE"}
_ENCODINGS = {"latin1": "ISO88591", "cp1252": "WINDOWS1252"}
_NOT_THERE = ("ibm437", "ibm850")


def map_format(file: PipeFile, findings: Findings) -> tuple[str, Options]:
    """Return the type and the options of a pipe's format; note what has no mapping."""
    given = file.pipe.file_format
    if isinstance(given, CsvFormat):
        return "CSV", tuple(_csv(given, file, findings).items())
    if isinstance(given, JsonFormat):
        return "JSON", tuple(_json(given, file, findings).items())
    if isinstance(given, ParquetFormat):
        return "PARQUET", tuple(_parquet(given, file, findings).items())
    findings.refuse(
        file.at("file_format", "type"),
        "Snowflake does not tell formats apart: auto has no mapping",
        "Say which it is: csv, json or parquet.",
    )
    return "CSV", ()


def _csv(given: CsvFormat, file: PipeFile, findings: Findings) -> dict[str, Written]:
    _refuse_csv(given, file, findings)
    header: dict[str, Written] = (
        {"PARSE_HEADER": True}
        if given.parse_header
        else {"SKIP_HEADER": given.skip_header}
    )
    enclosed = given.field_optionally_enclosed_by
    is_doubled = given.escape == enclosed or enclosed == "none"
    return {
        "COMPRESSION": Word(_COMPRESSIONS[given.compression]),
        **header,
        "FIELD_DELIMITER": given.field_delimiter,
        "FIELD_OPTIONALLY_ENCLOSED_BY": Word("NONE")
        if enclosed == "none"
        else enclosed,
        "ESCAPE": Word("NONE") if is_doubled else given.escape,
        # without it a backslash in a plain field would be taken for an escape
        "ESCAPE_UNENCLOSED_FIELD": Word("NONE"),
        "EMPTY_FIELD_AS_NULL": given.empty_field_as_null,
        # load columns are in no file, so the counts never agree
        "ERROR_ON_COLUMN_COUNT_MISMATCH": False,
        "SKIP_BLANK_LINES": True,
        "ENCODING": _encoding(given, file, findings),
        **_text(given),
    }


def _refuse_csv(given: CsvFormat, file: PipeFile, findings: Findings) -> None:
    if given.comment:
        findings.refuse(
            file.at("file_format", "comment"),
            "Snowflake reads lines with a comment mark as records",
            "Leave the lines out of the files, and the key out.",
        )
    if given.decimal_separator != ".":
        findings.refuse(
            file.at("file_format", "decimal_separator"),
            "Snowflake reads numbers with a point alone",
            "Make the column varchar, and read the number in silver.",
        )
    if given.parse_header and given.skip_header:
        findings.refuse(
            file.at("file_format", "skip_header"),
            "Snowflake skips no lines before a header that names columns",
            "Write parse_header: false and skip one line more: columns then stand in "
            "the contract's order.",
        )


def _json(given: JsonFormat, file: PipeFile, findings: Findings) -> dict[str, Written]:
    if given.orient == "columns":
        findings.refuse(
            file.at("file_format", "orient"),
            "Snowflake reads records, not columns",
            "Let the files have one object a record.",
        )
    if given.orient == "auto":
        told = (
            "a file that is one object of columns, as pandas' to_json writes it, is "
            "read here; there all of it is one record. `snowmelt land --target` "
            "refuses it; orient: records says that none comes"
        )
        findings.remark(file.at("file_format"), told)
    if given.encoding not in ("utf8",):
        findings.refuse(
            file.at("file_format", "encoding"),
            "Snowflake reads JSON in UTF-8 alone",
            "Let the files be UTF-8.",
        )
    # it also takes objects that are in no array
    outer = True if given.strip_outer_array is None else given.strip_outer_array
    return {
        "COMPRESSION": Word(_COMPRESSIONS[given.compression]),
        "STRIP_OUTER_ARRAY": outer,
        "STRIP_NULL_VALUES": given.strip_null_values,
        "ALLOW_DUPLICATE": given.allow_duplicate,
        **_text(given),
    }


def _parquet(
    given: ParquetFormat, file: PipeFile, findings: Findings
) -> dict[str, Written]:
    if given.compression not in ("auto", "none"):
        findings.refuse(
            file.at("file_format", "compression"),
            f"Snowflake reads no Parquet that is packed with {given.compression} again",
            "Leave compression out: Parquet is compressed inside.",
        )
    return {
        "COMPRESSION": Word("AUTO"),
        "USE_LOGICAL_TYPE": True,
        "USE_VECTORIZED_SCANNER": True,
        "NULL_IF": (),  # else a text of \N would be NULL
    }


def _text(given: CsvFormat | JsonFormat) -> Mapping[str, Written]:
    return {
        "REPLACE_INVALID_CHARACTERS": given.replace_invalid_characters,
        "NULL_IF": given.null_if,
        "TRIM_SPACE": given.trim_space,
        "DATE_FORMAT": given.date_format or "AUTO",
        "TIME_FORMAT": given.time_format or "AUTO",
        "TIMESTAMP_FORMAT": given.timestamp_format or "AUTO",
    }


def _encoding(given: CsvFormat, file: PipeFile, findings: Findings) -> str:
    if given.encoding in _NOT_THERE:
        findings.refuse(
            file.at("file_format", "encoding"),
            f"Snowflake does not know {given.encoding}",
            "Let the files be UTF-8.",
        )
    return _ENCODINGS.get(given.encoding, given.encoding).upper()
