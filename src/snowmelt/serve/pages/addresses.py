"""What an address says, read as what it stands for; and addresses that are written."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from snowmelt.errors import UsageError
from snowmelt.warehouse.sql import identifier


def chosen_of(request: Request, *names: str) -> dict[str, str | None]:
    """Return what the address says of each name; nothing where it is empty."""
    return {name: request.query_params.get(name) or None for name in names}


def whole(name: str, given: str | None) -> int | None:
    """Read a whole number of an address. Raises UsageError for anything else."""
    if given is None:
        return None
    if not given.isascii() or not given.isdigit() or len(given) > 18:
        raise UsageError(name, f"'{given[:40]}' is no number")
    return int(given)


def trace_href(key: str, values: dict[str, Any]) -> str:
    """Return the address of a row's trace."""
    words = [f"{name}={value}" for name, value in values.items() if value is not None]
    return "/trace?" + urlencode({"table": key, "key": words}, doseq=True)


def first_rows_href(key: str) -> str:
    """Return the address of a query for some rows of a table."""
    return _asking(f"select *\nfrom {_sql(key)}\nlimit 100")


def values_href(key: str, column: str) -> str:
    """Return the address of a query for the values of a column, most often first."""
    name = identifier(column)
    return _asking(
        f"select {name}, count(*) as rows\nfrom {_sql(key)}\n"
        f"group by {name}\norder by rows desc\nlimit 100"
    )


def _asking(sql: str) -> str:
    return "/sql?" + urlencode({"q": sql})


def _sql(key: str) -> str:
    return ".".join(_quoted(part) for part in key.split(".", 1))


def _quoted(name: str) -> str:
    """Write a part of a table's name as SQL takes it, whatever is in it."""
    plain = name.isascii() and name.isidentifier() and name == name.lower()
    return name if plain else identifier(name)
