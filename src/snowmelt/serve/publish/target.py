"""A database that gold is published into, and what is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Target:
    """A database, and the schema in it that is ours to write."""

    dsn: str
    schema: str = "gold"
    grant_to: tuple[str, ...] = ()


@dataclass(frozen=True)
class State:
    """What is published there: the digest, rows and comments of each table."""

    digests: Mapping[str, str] = field(default_factory=dict)
    comments: Mapping[str, str] = field(default_factory=dict)
    run_id: str | None = None


@dataclass(frozen=True)
class Stamp:
    """Whose run it is that is published, and when."""

    project: str
    run_id: str
    now: datetime


@dataclass(frozen=True)
class Sent:
    """What became of one table. `way`: unchanged, changed rows, whole, removed."""

    table: str
    way: str
    rows: int
