"""How the columns of a file meet those of the contract."""

from __future__ import annotations

from dataclasses import dataclass

from snowmelt.errors import FileError
from snowmelt.pipe.contract import Contract

_HEADER_SHOWN_MAX = 200
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class Layout:
    """How a file's columns meet the contract: for each, its column or None."""

    columns: tuple[str | None, ...]

    @property
    def present(self) -> frozenset[str]:
        return frozenset(name for name in self.columns if name)


def match_header(header: tuple[str, ...], contract: Contract) -> Layout:
    """Match a header with a contract by name, whatever the order and the case.

    Raises FileError when a column is missing that is not optional, or is there
    twice. Columns that the contract does not name are not loaded.
    """
    wanted = {column.name: column for column in contract.columns}
    names = [name.strip().lower() for name in header]
    if not any(name in wanted for name in names):
        raise FileError("", _no_match(header, list(wanted)))
    twice = next((name for name in wanted if names.count(name) > 1), None)
    if twice:
        raise FileError("", f"column '{twice}' is in the header twice")
    missing = [
        f"'{name}'"
        for name, column in wanted.items()
        if name not in names and not column.optional
    ]
    if missing:
        many = len(missing) > 1
        raise FileError(
            "",
            f"required column{'s' if many else ''} {', '.join(missing)} "
            f"{'are' if many else 'is'} not in the header",
        )
    return Layout(tuple(name if name in wanted else None for name in names))


def _no_match(header: tuple[str, ...], wanted: list[str]) -> str:
    """Say that a header has no known column, and why that may be."""
    shown = ", ".join(header)[:_HEADER_SHOWN_MAX]
    text = (
        "the header has none of the contract's columns: it reads "
        f"{shown!r}, expected {', '.join(wanted)!r}"
    )
    for mark, name in _DELIMITERS.items():
        if len(header) == 1 and {
            part.strip(" \"'").lower() for part in header[0].split(mark)
        } & set(wanted):
            return f"{text}; its fields are divided by {name}"
    return text
