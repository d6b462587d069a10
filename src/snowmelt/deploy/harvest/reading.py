"""Values as an account tells them, read into ours. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from snowmelt.deploy.snowflake.session import Row

_ZONE = re.compile(r"\s+([+-]\d{2}:?\d{2})$")
"""The zone as texts have it, `2026-06-01 05:30:00.000 -0700`, behind a blank."""


def moment(told: Any) -> datetime | None:
    """Read a time; one without a zone is UTC, as sessions of ours are."""
    if told is None or told == "":
        return None
    if isinstance(told, datetime):
        read = told
    else:
        plain = _ZONE.sub(r"\1", str(told).strip()).replace("Z", "+00:00")
        read = datetime.fromisoformat(plain)
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def whole(told: Any) -> int | None:
    """Read a whole number."""
    return None if told is None or told == "" else int(Decimal(str(told)))


def number(told: Any) -> float | None:
    """Read a number."""
    return None if told is None or told == "" else float(told)


def text(told: Any) -> str | None:
    """Read a text; an empty one is none."""
    return None if told is None or told == "" else str(told)


def flag(told: Any) -> bool:
    """Read a boolean, which SHOW tells as a text."""
    return str(told).strip().lower() in ("true", "y", "yes", "on", "1")


def seconds(milliseconds: Any) -> float:
    """Read a length of time."""
    return (number(milliseconds) or 0.0) / 1000


def full_name(row: Row, *keys: str) -> str:
    """Return a name with what it is in, as an account keeps it."""
    return ".".join(str(row.get(key) or "").upper() for key in keys)
