"""What reading one file came to, whatever its format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from snowmelt.bronze.inspection import Inspection
from snowmelt.bronze.raw import Reject

PLACE = "\ufdd1"
"""Stands for the path in a query that is kept: a code point that no path has."""


@dataclass
class FileRead:
    """One file's records in a temporary table, and those that were refused.

    Its rows are `table`'s rowids from `first_rowid`, `row_span` of them; those in
    `refused_rowids` were parsed but break the contract. `problem`: why nothing of it
    can be loaded. `changed`: it is not the file that was staged any more.
    `is_view`: the table is a view of the file, read when its rows are appended.
    `in_odd_groups`: the table has its rows in groups of the file's sizes; appended so,
    a checkpoint would find small groups to join and write all rows a second time.
    `query` reads the same rows from the file itself, with `_file_row`: of an external
    pipe, where that can be done.
    """

    inspection: Inspection
    table: str = ""
    first_rowid: int = 0
    row_span: int = 0
    refused_rowids: list[int] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    engine_rejects: list[int] = field(default_factory=list)
    problem: str | None = None
    changed: bool = False
    is_view: bool = False
    in_odd_groups: bool = False
    query: str = ""

    @property
    def row_count(self) -> int:
        return self.row_span - len(self.refused_rowids)

    @property
    def row_parsed(self) -> int:
        return self.row_count + len(self.rejects)


def ordinal_of(rank: int, engine_rejects: Sequence[int]) -> int:
    """Return the ordinal in the file of the accepted record number `rank` (from 0).

    `engine_rejects` are the ordinals, ascending, of records the engine left out.
    """
    low, high = 0, len(engine_rejects)
    while low < high:
        middle = (low + high) // 2
        if engine_rejects[middle] - (middle + 1) <= rank:
            low = middle + 1
        else:
            high = middle
    return rank + 1 + low
