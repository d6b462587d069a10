"""Which missing column may be which new one, under another name: a guess.

Nothing acts on it. A person decides: `path` in the contract's column is what a file
calls it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

LIKENESS_MIN = 0.6
"""Of two names, letters and digits alone."""
_CONTAINED_MIN = 3
_NUMBERS = ("integer", "bigint", "double", "decimal")
_TIMES = ("date", "time", "timestamp", "timestamptz")
Named = tuple[str, str]
"""A column: its name, and its type."""


def likely_renames(
    missing: Sequence[Named], new: Sequence[Named]
) -> list[tuple[str, str]]:
    """Pair missing columns with new ones, each once, the most alike first."""
    pairs = sorted(
        (-likeness(old, fresh), old, fresh)
        for old, old_type in missing
        for fresh, fresh_type in new
        if _could_be(old_type, fresh_type)
    )
    found: dict[str, str] = {}
    for negative, old, fresh in pairs:
        alike = -negative >= LIKENESS_MIN
        if alike and old not in found and fresh not in found.values():
            found[old] = fresh
    return list(found.items())


def likeness(one: str, other: str) -> float:
    """Return how alike two names are, from 0 to 1."""
    one, other = (re.sub(r"[^a-z0-9]", "", name.lower()) for name in (one, other))
    if not one or not other:
        return 0.0
    if one == other:
        return 1.0
    first, second = sorted((one, other))
    alike = SequenceMatcher(None, first, second, autojunk=False).ratio()
    shorter, longer = sorted((one, other), key=len)
    if len(shorter) >= _CONTAINED_MIN and shorter in longer:
        return max(alike, LIKENESS_MIN)
    return alike


def _could_be(old: str, fresh: str) -> bool:
    """May values of the one type be those of the other?"""
    old, fresh = (name.partition("(")[0] for name in (old, fresh))
    if "varchar" in (old, fresh) or old == fresh:
        return True
    return any(old in family and fresh in family for family in (_NUMBERS, _TIMES))
