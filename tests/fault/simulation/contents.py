"""What files hold, and what has to become of each: the simulation's own account."""

from __future__ import annotations

import gzip
import hashlib
import random
from dataclasses import dataclass
from functools import cached_property

HEADER = b"id,note\n"
BAD = b"oops,bad\n"
RowOf = tuple[int, int, str]
"""(_file_row, id, note)"""


@dataclass(frozen=True)
class Account:
    """What a load of some content has to come to under a pipe's on_error."""

    status: str
    rows: tuple[RowOf, ...] = ()
    rejected: tuple[int, ...] = ()
    parsed: int = 0

    @property
    def has_records(self) -> bool:
        return self.parsed > 0


@dataclass(frozen=True)
class FileContent:
    """The bytes of a file, made of records that are good or bad.

    `poison`: whoever reads it is killed.
    """

    number: int
    records: tuple[bool, ...]
    header: bool = True
    packed: bool = False
    poison: bool = False

    @cached_property
    def raw(self) -> bytes:
        lines = [
            b"%d,n%d\n" % (self.id_of(row), row) if good else BAD
            for row, good in enumerate(self.records, start=1)
        ]
        plain = (HEADER if self.header else b"") + b"".join(lines)
        return gzip.compress(plain, mtime=0) if self.packed else plain

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.raw).hexdigest()

    @property
    def has_parts(self) -> bool:
        """Can a part of it be there before the rest, and be read?"""
        return len(self.records) > 1 and not self.packed and not self.poison

    def id_of(self, row: int) -> int:
        return self.number * 100 + row

    def account(self, on_error: str) -> Account:
        """Return what has to become of it."""
        if not self.header:
            return Account("Load failed")
        good = [row for row, is_good in enumerate(self.records, start=1) if is_good]
        bad = [row for row, is_good in enumerate(self.records, start=1) if not is_good]
        parsed = len(self.records)
        if bad and (not good or on_error == "skip_file"):
            return Account("Load failed", (), tuple(bad), parsed)
        rows = tuple((row, self.id_of(row), f"n{row}") for row in good)
        status = "Partially loaded" if bad else "Loaded"
        return Account(status, rows, tuple(bad), parsed)


def draw_contents(rng: random.Random, count: int, *, poison: bool) -> list[FileContent]:
    """Draw different contents; few, so that files often hold the same bytes."""
    drawn: list[FileContent] = []
    for number in range(1, count + 1):
        kind = rng.choices(
            ["good", "some bad", "all bad", "no records", "empty"],
            [12, 4, 1, 1, 1],
        )[0]
        length = rng.randint(1, 4)
        records: tuple[bool, ...] = (True,) * length
        if kind == "some bad":
            records = (True, *(rng.random() < 0.5 for _ in range(length)), False)
        elif kind == "all bad":
            records = (False,) * (length + number)
        elif kind == "no records":
            records = ()
        if kind in ("no records", "empty") and any(not c.records for c in drawn):
            records = (True,)
            kind = "good"
        drawn.append(
            FileContent(
                number,
                () if kind == "empty" else records,
                header=kind != "empty",
                packed=rng.random() < 0.2,
            )
        )
    if poison:
        drawn.append(FileContent(99, (True, True), poison=True))
    return drawn
