"""What was compared of a table, and whether it is alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from snowmelt.deploy.migration.digest import Digest
from snowmelt.deploy.migration.staged import NAMED_MAX
from snowmelt.deploy.migration.values import Other

ALTERED = (
    "Rows that were shipped are not there as they left: somebody changed or removed "
    "some, or this role is shown masked values."
)
OTHER_VALUES = (
    "There is JSON that is not what the account reads from the texts that were "
    "shipped: somebody changed it, or it was copied wrongly."
)
_WRITTEN_OTHERWISE = (
    "JSON is written otherwise there, as keys have no order; each value is the same"
)
NOT_STAGED = (
    "What was shipped is not in the bucket any more, so that it cannot be told which."
)


@dataclass(frozen=True)
class OfValues:
    """Values of JSON: what the account read from texts, and what the table has."""

    columns: tuple[str, ...]
    both: tuple[Digest, Digest]
    of_same_rows: bool = True
    """Are the rows that were shipped there, but for what their JSON says?"""
    others: tuple[Other, ...] | None = None
    """Files that differ, if it was looked row by row; at most some are named."""

    @property
    def is_alike(self) -> bool:
        """The same texts; or else the same values, each of them looked at."""
        return self.both[0] == self.both[1] or self._are_equal

    @property
    def _are_equal(self) -> bool:
        return self.of_same_rows and self.others == ()

    @property
    def document(self) -> dict[str, Any]:
        told = {"columns": list(self.columns), "alike": self.is_alike}
        told |= pair(self.both, ("recorded", "there"))
        if self.others is not None:
            told["differing_files"] = [each.document for each in self.others]
        return told

    @property
    def lines(self) -> tuple[str, ...]:
        """Say where it differs, a line for each file."""
        if self._are_equal:
            return (_WRITTEN_OTHERWISE,)
        others = self.others or ()
        told = [line for each in others[:NAMED_MAX] for line in each.lines]
        return (*told, *(["… and more files"] if len(others) > NAMED_MAX else []))

    @property
    def remedy(self) -> str:
        """Say what is the matter; nothing if it is alike."""
        if self.is_alike:
            return ""
        gone = any(each.gone for each in self.others or ())
        return f"{OTHER_VALUES} {NOT_STAGED}" if gone else OTHER_VALUES


@dataclass(frozen=True)
class Proof:
    """What was compared of one table, and whether it is alike."""

    name: str
    table: str
    shipped: tuple[Digest, Digest]
    """What was recorded as it left, what the account has."""
    live: tuple[Digest, Digest] | None = None
    """The rows that count, here and there."""
    values: OfValues | None = None
    """None where there is no JSON."""
    differing: tuple[str, ...] = ()
    only_there: int = 0
    remedy: str = ""

    @property
    def is_alike(self) -> bool:
        same = self.shipped[0] == self.shipped[1] and not self.differing
        return same and (self.values is None or self.values.is_alike)

    @property
    def lines(self) -> tuple[str, ...]:
        """Say what differs, and what is only remarkable, a line for each file."""
        told = [f"{name}: other rows there" for name in self.differing]
        if self.only_there:
            told.append(f"{_count(self.only_there, 'file')} arrived there alone")
        return (*(self.values.lines if self.values else ()), *told)

    @property
    def document(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            "name": self.name,
            "table": self.table,
            "alike": self.is_alike,
            "shipped": pair(self.shipped, ("recorded", "there")),
        }
        if self.values is not None:
            told["json"] = self.values.document
        if self.live is not None:
            told["live"] = pair(self.live, ("here", "there"))
            told["differing_files"] = list(self.differing)
            told["files_only_there"] = self.only_there
        return told | ({"remedy": self.remedy} if self.remedy else {})


def pair(both: tuple[Digest, Digest], names: tuple[str, str]) -> dict[str, Any]:
    """Return two digests as a document has them."""
    return {
        name: {"rows": each.rows, "digest": str(each)}
        for name, each in zip(names, both, strict=True)
    }


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
