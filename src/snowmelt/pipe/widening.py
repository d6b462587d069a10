"""Which types hold every value of another type, and which one a text asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence

_DECIMAL = re.compile(r"decimal\((\d+),\s?(\d+)\)")
_WHOLE_DIGITS = {"integer": 10, "bigint": 19}
_WIDER = {
    "integer": {"bigint", "double"},
    "date": {"timestamp"},
}
_WHOLE = re.compile(r"\s*[+-]?\d{1,38}\s*")
_NUMBER = re.compile(r"\s*[+-]?(\d*)\.?(\d*)\s*")
_TIMESTAMP = re.compile(
    r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?", re.ASCII
)
_DOUBLE_DIGITS = 15
_BIGINT = range(-(1 << 63), 1 << 63)


def widens(narrow: str, wide: str) -> bool:
    """Does the wider type hold each value of the narrower one exactly?

    Every type can become varchar: each value keeps the one text the engine has for
    it. A type does not widen itself.
    """
    if narrow == wide:
        return False
    if wide == "varchar" or wide in _WIDER.get(narrow, ()):
        return True
    target, source = _DECIMAL.fullmatch(wide), _DECIMAL.fullmatch(narrow)
    if target is None:
        return False
    scale = int(target[2])
    whole = int(target[1]) - scale
    if source is None:
        return whole >= _WHOLE_DIGITS.get(narrow, 99)
    return scale >= int(source[2]) and whole >= int(source[1]) - int(source[2])


def propose(type_name: str, texts: Sequence[str]) -> str:
    """Return the narrowest wider type that holds all these texts exactly.

    It is varchar where no other does: a text is never rounded or guessed at.
    """
    candidates = {
        "integer": ("bigint", "decimal(38,0)", "double"),
        "bigint": ("decimal(38,0)",),
        "date": ("timestamp",),
    }.get(type_name, ())
    known = _DECIMAL.fullmatch(type_name)
    if known and int(known[1]) < 38:
        candidates = (f"decimal(38,{known[2]})",)
    for candidate in candidates:
        if texts and all(_holds(candidate, text) for text in texts):
            return candidate
    return "varchar"


def _holds(type_name: str, text: str) -> bool:
    if type_name == "timestamp":
        return _TIMESTAMP.fullmatch(text.strip()) is not None
    if type_name in ("bigint", "decimal(38,0)"):
        whole = _WHOLE.fullmatch(text) is not None
        return whole and (type_name != "bigint" or int(text) in _BIGINT)
    number = _NUMBER.fullmatch(text)
    if number is None or not number[1] + number[2]:
        return False
    if type_name == "double":
        return len((number[1] + number[2]).lstrip("0")) <= _DOUBLE_DIGITS
    scale = int(type_name.removesuffix(")").partition(",")[2])
    return len(number[2]) <= scale and len(number[1].lstrip("0")) <= 38 - scale
