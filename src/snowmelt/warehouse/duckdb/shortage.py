"""When the engine lacks memory, disk or open files: no file and no SQL is to blame."""

from __future__ import annotations

import re

import duckdb

from snowmelt.errors import EngineError, UnreachableError

_SIGNS = ("No space left", "Could not write", "Too many open files")
_FULL = "No space left"
_FILE = re.compile(r'file "([^"]+)"')
ROOM = (
    "Free space there and start again, a service too: what was committed is kept, the "
    "rest is done again. "
    "Old backups and .snowmelt/artifacts may be removed; nothing else in .snowmelt."
)


def require_no_shortage(error: duckdb.Error) -> None:
    """Raise EngineError if a statement failed for want of something, or was stopped.

    After one the engine may refuse everything: then it says so, and of the first cause.
    """
    if isinstance(error, duckdb.InterruptException):
        raise EngineError("the engine", "the statement was interrupted") from error
    told = str(error)
    is_of_machine = isinstance(error, duckdb.IOException | duckdb.FatalException)
    if is_of_machine and _FULL in told:
        raise EngineError(_place(told, "the engine"), _NO_SPACE, ROOM) from error
    is_short = is_of_machine and any(sign in told for sign in _SIGNS)
    if is_short or isinstance(error, duckdb.OutOfMemoryException):
        raise EngineError("the engine", told.strip().splitlines()[0]) from error


def unopened(path: str, error: duckdb.Error) -> UnreachableError:
    """Return why a warehouse cannot be opened, and what helps where that is known."""
    told = str(error).strip()
    if _FULL in told:
        return UnreachableError(_place(told, path), _NO_SPACE, ROOM)
    return UnreachableError(path, told)


_NO_SPACE = "there is no space left on its disk"


def _place(told: str, otherwise: str) -> str:
    """Return the file that could not be written, as the engine names it."""
    found = _FILE.search(told)
    return found[1] if found else otherwise
