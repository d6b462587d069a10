"""Which keys of a file's records the columns of a contract are read by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from snowmelt.bronze.json_path import Steps, steps_of
from snowmelt.bronze.json_record import Members, NotJson, read_json
from snowmelt.pipe.contract import Contract

_RECORDS_TRIED = 20


@dataclass(frozen=True)
class JsonLayout:
    """For each column, in the contract's order, the steps to its value.

    A first step is the file's own key where that has another case. Records that have
    other keys than these are judged one by one.
    """

    steps: tuple[Steps, ...]


@dataclass(frozen=True)
class Keys:
    """The keys of a file's first records: `usual` are the different sequences."""

    usual: tuple[tuple[str, ...], ...] = ()

    def layout(self, contract: Contract) -> JsonLayout:
        """Return by which keys the columns are to be read."""
        there = {key for keys in self.usual for key in keys}
        return JsonLayout(
            tuple(_met(steps_of(column), there) for column in contract.columns)
        )


def keys_of(lines: Sequence[bytes]) -> Keys:
    """Return the keys of the first records, which stand one a line."""
    found: dict[tuple[str, ...], None] = {}
    for line in lines[:_RECORDS_TRIED]:
        try:
            record = read_json(line)
        except (NotJson, UnicodeDecodeError):
            continue
        if isinstance(record, Members):
            names = tuple(name for name, _ in record)
            if len(set(names)) == len(names):
                found[names] = None
    return Keys(tuple(found))


def _met(steps: Steps, there: set[str]) -> Steps:
    first, *rest = steps
    if first in there:
        return steps
    like = [key for key in there if key.lower() == str(first).lower()]
    return (like[0], *rest) if len(like) == 1 else steps
