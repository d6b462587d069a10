"""From a text to a column's type, where the engine does not read it typed itself.

A text that is no value of the type gives NULL: together with the text that tells a
record to refuse from one whose value is missing.
"""

from __future__ import annotations

from snowmelt.pipe.contract import Column
from snowmelt.pipe.file_format import CsvFormat, JsonFormat
from snowmelt.pipe.time_format import to_strptime
from snowmelt.warehouse.sql import literal, literals

TextFormat = CsvFormat | JsonFormat


def time_format_of(column: Column, text_format: TextFormat) -> str | None:
    """Return the strptime pattern for a column, if the format names one."""
    given = {
        "date": text_format.date_format,
        "time": text_format.time_format,
        "timestamp": text_format.timestamp_format,
        "timestamptz": text_format.timestamp_format,
    }.get(column.type)
    return to_strptime(given) if given else None


def cleaned(text: str, text_format: TextFormat) -> str:
    """Return an expression for a text, trimmed and NULL as the format has it."""
    if text_format.trim_space:
        text = f"trim({text}, ' \t')"
    if text_format.null_if:
        # `in` with more than four texts is a join to the engine, which mixes the rows
        null = f"list_contains({literals(text_format.null_if)}, {text})"
        text = f"(case when not {null} then {text} end)"
    return text


def typed(text: str, column: Column, text_format: TextFormat) -> str:
    """Return an expression for a text's value; NULL if it is no value of the type."""
    pattern = time_format_of(column, text_format)
    if column.type == "varchar":
        return text
    if column.type == "json":
        return f"(case when json_valid({text}) then {text}::json end)"
    if pattern:
        return f"try_strptime({text}, {literal(pattern)})::{column.type}"
    separator = getattr(text_format, "decimal_separator", ".")
    if separator == "," and column.type.startswith(("decimal", "double")):
        text = (
            f"(case when not contains({text}, '.') then replace({text}, ',', '.') end)"
        )
    if column.type.startswith("decimal"):
        return decimal(text, column.type)
    return f"try_cast({text} as {column.type})"


def decimal(text: str, type_name: str) -> str:
    """Return an expression for a text's value as a decimal; NULL if it is none.

    The engine takes what is far below half a unit of the last place for a whole one if
    it is written with an exponent ('5e-5' with two places: 0.01). With more places
    first it is right.
    """
    plain = f"try_cast({text} as {type_name})"
    exact = f"try_cast(try_cast({text} as decimal(38,18)) as {type_name})"
    small = f"(contains({text}, 'e-') or contains({text}, 'E-'))"
    return f"(case when {small} then coalesce({exact}, {plain}) else {plain} end)"
