"""One finding of doctor: what was checked, how it is, what helps."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

Finding = dict[str, Any]


class Level(StrEnum):
    """Fit, worth a look, or not fit."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"


def finding(check: str, level: Level | bool, found: str, remedy: str = "") -> Finding:
    """Return a finding as a document; the remedy is for what does not pass."""
    if isinstance(level, bool):
        level = Level.PASS if level else Level.FAIL
    return {
        "check": check,
        "level": level.value,
        "ok": level is not Level.FAIL,
        "found": found,
        "remedy": remedy,
    }
