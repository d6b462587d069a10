"""Keys that the samples speak for: unique and never empty over all records."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from snowmelt.bronze.inference.sample import TABLE
from snowmelt.warehouse.duckdb.scratch import Connection

RECORDS_TO_BELIEVE = 20
SINGLES_MAX = 5
PAIRS_MAX = 3
_PAIRED_MAX = 12
_AT_ONCE = 50
_NEAR = 0.75  # the engine's estimate of distinct values may be that far off
_LONG = 64
_NAMED = re.compile(
    r"(^|_)(id|ids|uuid|guid|key|pk|code|number|no|nr|num|seq|sequential|position|line"
    r"|sku|isbn|ean|email)$"
)
_SINGLE_TYPES = ("varchar", "integer", "bigint", "date")
_PAIR_TYPES = (*_SINGLE_TYPES, "timestamp", "timestamptz")


@dataclass(frozen=True)
class Candidate:
    """A column that may be part of a key: always there, of a type that keys have."""

    name: str
    place: str
    type: str
    longest: int = 0

    @property
    def is_named_so(self) -> bool:
        return _NAMED.search(self.name) is not None


@dataclass(frozen=True)
class Key:
    """Columns whose values together are different in every record."""

    columns: tuple[str, ...]
    records: int
    distinct: int


def find_keys(
    connection: Connection, candidates: Sequence[Candidate], records: int
) -> list[Key]:
    """Return the keys to believe in: single columns, else pairs.

    In few records much is unique by chance: there, only what is named like a key.
    """
    if records < 2:
        return []
    usable = [each for each in candidates if each.longest <= _LONG]
    if records < RECORDS_TO_BELIEVE:
        usable = [each for each in usable if each.is_named_so]
    near = _approximate(connection, usable)
    singles = [
        each
        for each in usable
        if each.type in _SINGLE_TYPES and near[each.place] >= records * _NEAR
    ]
    singles.sort(key=lambda each: not each.is_named_so)
    found = _exact(
        connection, [(each,) for each in singles[: SINGLES_MAX * 2]], records
    )
    if found:
        return found[:SINGLES_MAX]
    return _pairs(connection, usable, near, records)


def _pairs(
    connection: Connection,
    usable: Sequence[Candidate],
    near: dict[str, int],
    records: int,
) -> list[Key]:
    """Return pairs that are unique; of columns named like keys first."""
    ranked = sorted(
        (each for each in usable if each.type in _PAIR_TYPES and near[each.place] > 1),
        key=lambda each: (not each.is_named_so, -near[each.place]),
    )[:_PAIRED_MAX]
    pairs = [
        pair
        for pair in combinations(ranked, 2)
        if near[pair[0].place] * near[pair[1].place] >= records * _NEAR
        and (records >= RECORDS_TO_BELIEVE or all(each.is_named_so for each in pair))
    ]
    if not pairs:
        return []
    asked = ", ".join(f"approx_count_distinct({_hash(pair)})" for pair in pairs)
    counts = connection.execute(f"select {asked} from {TABLE}").fetchone() or ()
    likely = [
        pair
        for pair, many in zip(pairs, counts, strict=True)
        if many >= records * _NEAR
    ]
    return _exact(connection, likely[: PAIRS_MAX * 3], records)[:PAIRS_MAX]


def _approximate(
    connection: Connection, candidates: Sequence[Candidate]
) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(candidates), _AT_ONCE):
        some = candidates[start : start + _AT_ONCE]
        asked = ", ".join(f"approx_count_distinct({each.place})" for each in some)
        row = connection.execute(f"select {asked} from {TABLE}").fetchone() or ()
        found |= {each.place: many for each, many in zip(some, row, strict=True)}
    return found


def _exact(
    connection: Connection, tried: Sequence[tuple[Candidate, ...]], records: int
) -> list[Key]:
    """Return those that are different in every record."""
    keys = []
    for columns in tried:
        places = ", ".join(each.place for each in columns)
        sql = f"select count(*) from (select distinct {places} from {TABLE})"
        (distinct,) = connection.execute(sql).fetchone() or (0,)
        if distinct == records:
            names = tuple(each.name for each in columns)
            keys.append(Key(names, records, distinct))
    return keys


def _hash(pair: Sequence[Candidate]) -> str:
    return "hash(" + ", ".join(each.place for each in pair) + ")"
