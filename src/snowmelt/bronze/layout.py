"""How the columns of a file meet those of the contract."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from snowmelt.bronze.json_path import steps_of
from snowmelt.errors import FileError
from snowmelt.pipe.contract import Column, Contract
from snowmelt.pipe.evolution import describe_missing
from snowmelt.pipe.evolved import RESCUED

_HEADER_SHOWN_MAX = 200
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class Layout:
    """How a file's columns meet the contract: for each, its column or None.

    `rescued` has the name of each column whose values are kept as JSON, by position.
    """

    columns: tuple[str | None, ...]
    rescued: tuple[tuple[int, str], ...] = ()

    @cached_property
    def present(self) -> frozenset[str]:
        return frozenset(name for name in self.columns if name)


def header_of(column: Column) -> str:
    """Return what a column is called in a header: its path, or its name."""
    return str(steps_of(column)[0]).strip().lower()


class _Last:
    """The last match: most files of a batch have the same header."""

    match: tuple[tuple[str, ...], Contract, Layout] | None = None


def match_header(header: tuple[str, ...], contract: Contract) -> Layout:
    """Match a header with a contract by name, whatever the order and the case.

    Raises FileError when a column is missing that is not optional, or is there
    twice. Columns that the contract does not name are not loaded, unless it has the
    column that rescues them.
    """
    last = _Last.match
    if last is not None and last[0] == header and last[1] is contract:
        return last[2]
    layout = _match(header, contract)
    _Last.match = header, contract, layout
    return layout


def _match(header: tuple[str, ...], contract: Contract) -> Layout:
    wanted = {column.name: column for column in contract.columns}
    rescues = wanted.pop(RESCUED, None) is not None
    called = {header_of(column): name for name, column in wanted.items()}
    names = [called.get(name.strip().lower()) for name in header]
    if not any(names):
        raise FileError("", _no_match(header, list(called)))
    twice = next((name for name in wanted if names.count(name) > 1), None)
    if twice:
        raise FileError("", f"column '{twice}' is in the header twice")
    missing = [
        name
        for name, column in wanted.items()
        if name not in names and not column.optional
    ]
    if missing:
        told = describe_missing(missing, "the header")
        raise FileError("", f"{told}, which reads {_shown(header)!r}")
    columns = tuple(names)
    return Layout(columns, _name_rescued(header, columns) if rescues else ())


def _name_rescued(
    header: tuple[str, ...], columns: tuple[str | None, ...]
) -> tuple[tuple[int, str], ...]:
    """Name the columns that no contract names: as the file does, each differently.

    One without a name has its position; a name that comes again has it added.
    """
    names: dict[str, int] = {}
    for index, (name, column) in enumerate(zip(header, columns, strict=True)):
        if column is None:
            shown = name.strip() or f"_{index + 1}"
            while shown in names:
                shown = f"{shown}_{index + 1}"
            names[shown] = index
    return tuple((index, name) for name, index in names.items())


def _no_match(header: tuple[str, ...], wanted: list[str]) -> str:
    """Say that a header has no known column, and why that may be."""
    text = (
        "the header has none of the contract's columns: it reads "
        f"{_shown(header)!r}, expected {', '.join(wanted)!r}"
    )
    for mark, name in _DELIMITERS.items():
        if len(header) == 1 and {
            part.strip(" \"'").lower() for part in header[0].split(mark)
        } & set(wanted):
            return f"{text}; its fields are divided by {name}"
    return text


def _shown(header: tuple[str, ...]) -> str:
    return ", ".join(header)[:_HEADER_SHOWN_MAX]
