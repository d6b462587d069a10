"""The kinds of text that a field can hold, each with the expression that tells it.

The expressions mean the same to Python and to the engine.
"""

from __future__ import annotations

import re
from enum import StrEnum


class Kind(StrEnum):
    """What one text looks like; every text is of exactly one kind."""

    EMPTY = "empty"
    TOKEN = "token"
    INTEGER = "integer"
    DECIMAL = "decimal"
    COMMA = "comma"
    EXPONENT = "exponent"
    LEADING_ZERO = "leading_zero"
    LONG_DIGITS = "long_digits"
    PLUS = "plus"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    NANOSECONDS = "nanoseconds"
    ZONED = "zoned"
    TIME = "time"
    TIMELIKE = "timelike"
    TEXT = "text"


class Family(StrEnum):
    """Kinds that one column type can hold together."""

    NUMBER = "number"
    BOOLEAN = "boolean"
    TIME = "time"


ALL_FAMILIES = frozenset(Family)
NUMBERS = frozenset({Kind.INTEGER, Kind.DECIMAL, Kind.COMMA, Kind.EXPONENT})

# Texts that people write for "nothing". The certain ones mean it wherever they stand;
# the others only where the rest of a column says so: NA is Namibia too.
CERTAIN_TOKENS = (r"\N", "NULL", "null", "Null", "#N/A")
TOKENS = (
    *CERTAIN_TOKENS,
    *("NA", "N/A", "n/a", "na", "N.A.", "n.a.", "-", "--", "?", "."),
    *("None", "none", "NONE", "nil", "NaN", "nan", "NAN"),
)

_YEAR = r"([1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
_DAY = rf"{_YEAR}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_MINUTE = r"([01][0-9]|2[0-3]):[0-5][0-9]"
_SECOND = r":[0-5][0-9]"
_CLOCK = rf"{_MINUTE}({_SECOND}(\.[0-9]{{1,6}})?)?"
_FINE_CLOCK = rf"{_MINUTE}{_SECOND}\.[0-9]{{7,9}}"
_ZONE = r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)"
_WORD = r"[A-Za-z]{3,9}"

PATTERNS = {
    Kind.INTEGER: r"-?[1-9][0-9]{0,17}|0",
    Kind.DECIMAL: r"-?(0|[1-9][0-9]*)?\.[0-9]+",
    Kind.COMMA: r"-?(0|[1-9][0-9]*)?,[0-9]+",
    Kind.EXPONENT: r"-?(0|[1-9][0-9]*)(\.[0-9]+)?[eE][+-]?[0-9]{1,3}",
    Kind.LEADING_ZERO: r"-?0[0-9]+",
    Kind.LONG_DIGITS: r"-?[1-9][0-9]{18,}",
    Kind.PLUS: r"\+[0-9.,]+",
    Kind.DATE: _DAY,
    Kind.TIMESTAMP: rf"{_DAY}[ T]{_CLOCK}",
    Kind.NANOSECONDS: rf"{_DAY}[ T]{_FINE_CLOCK}{_ZONE}?",
    Kind.ZONED: rf"{_DAY}[ T]{_CLOCK}{_ZONE}",
    Kind.TIME: _CLOCK,
    Kind.TIMELIKE: rf"[0-9]{{1,4}}[-/. ]([0-9]{{1,2}}|{_WORD})[-/. ][0-9]{{2,4}}"
    rf"([ T].*)?|{_WORD} [0-9]{{1,2}}, ?[0-9]{{4}}( .*)?"
    r"|[0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?( ?[AaPp][Mm])?",
}
TRUTHS = ("true", "false")
_COMPILED = {kind: re.compile(pattern) for kind, pattern in PATTERNS.items()}


def kind_of(text: str) -> Kind:
    """Return the kind of one text, spaces at its ends left out.

    A date is not looked up in the calendar here.
    """
    text = text.strip(" ")
    if not text:
        return Kind.EMPTY
    if text in TOKENS:
        return Kind.TOKEN
    if text.lower() in TRUTHS:
        return Kind.BOOLEAN
    found = (kind for kind, each in _COMPILED.items() if each.fullmatch(text))
    return next(found, Kind.TEXT)
