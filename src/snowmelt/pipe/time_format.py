"""Snowflake's date and time formats, as the engine's strptime has them.

https://docs.snowflake.com/en/sql-reference/date-time-input-output
"""

from __future__ import annotations

import re

_ELEMENTS = {
    "YYYY": "%Y",
    "YY": "%y",
    "MMMM": "%B",
    "MON": "%b",
    "MM": "%m",
    "DD": "%d",
    "DY": "%a",
    "HH24": "%H",
    "HH12": "%I",
    "AM": "%p",
    "PM": "%p",
    "MI": "%M",
    "SS": "%S",
    "TZH:TZM": "%z",
    "TZHTZM": "%z",
    "TZH": "%z",
    "FF": "%f",
    **{f"FF{digits}": "%f" for digits in range(1, 7)},
    **{f"FF{digits}": "%n" for digits in range(7, 10)},
}
_TOKEN = re.compile(
    "|".join(sorted(map(re.escape, _ELEMENTS), key=len, reverse=True))
    + r'|"[^"]*"|[Tt](?=[Hh][Hh])|[^A-Za-z"]',
    re.IGNORECASE,
)


def to_strptime(text: str) -> str:
    """Translate `DD.MM.YYYY HH24:MI:SS` into `%d.%m.%Y %H:%M:%S`.

    Text in double quotes stands for itself. Raises ValueError, naming the first part
    that is no element, and what was likely meant.
    """
    if "%" in text:
        raise ValueError(
            f"'{text}' is a strptime pattern; write Snowflake's elements, "
            "such as DD.MM.YYYY HH24:MI:SS"
        )
    at, parts = 0, []
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(
                f"'{text[at:]}' does not begin with an element of a format: use "
                f"{', '.join(_ELEMENTS)}, or put text into double quotes"
            )
        token = match[0]
        parts.append(_ELEMENTS.get(token.upper(), token.strip('"')))
        at = match.end()
    return "".join(parts)
