"""Which version a file stands for, as an expression: the date in its path, or none.

The same as `pipe/version.py` says, without looking around and backreferences, which
regular expressions of Snowflake have not
(https://docs.snowflake.com/en/sql-reference/functions-regexp).
"""

from __future__ import annotations

from snowmelt.deploy.snowflake import sql

_MONTH = "(0[1-9]|1[0-2])"
_DAY = "(0[1-9]|[12][0-9]|3[01])"
_YEAR = "(19[7-9][0-9]|20[0-9]{2}|2100)"
_DATE = f"{_YEAR}({_MONTH}{_DAY}|-{_MONTH}-{_DAY}|_{_MONTH}_{_DAY})"
_CLOCK = "([T_ -]?[0-9]{2}[-:_h]?[0-9]{2}([-:_m]?[0-9]{2})?)?"
PATTERN = f"(.*[^0-9])?({_DATE}{_CLOCK})([^0-9].*)?"


def version_in(name: str) -> str:
    """Return the moment in a path, null where it has none that is in the calendar."""
    whole = _replaced(name, f"^{PATTERN}$", r"\2")
    digits = f"RPAD({_replaced(whole, '[^0-9]', '')}, 14, '0')"
    moment = _replaced(digits, "(.{4})(..)(..)(..)(..)(..)", r"\1-\2-\3 \4:\5:\6")
    return (
        f"CASE WHEN REGEXP_LIKE({name}, {sql.text(PATTERN)}) "
        f"THEN TRY_CAST({moment} AS TIMESTAMP_NTZ) END"
    )


def _replaced(text: str, pattern: str, by: str) -> str:
    return f"REGEXP_REPLACE({text}, {sql.text(pattern)}, {sql.text(by)})"
