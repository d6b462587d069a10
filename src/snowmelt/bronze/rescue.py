"""What a contract does not name, kept beside the row: a JSON object in one column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from snowmelt.warehouse.sql import literal, literals


def rescued_values(values: Mapping[str, str]) -> str:
    """Return an expression for an object of these expressions by name.

    A value that is NULL is left out; where none is left the object is NULL. Values
    that are JSON stand as they are, others as the engine writes them in JSON.
    """
    if not values:
        return "null::json"
    entries = ", ".join(
        f"{{'k': {literal(name)}, 'v': to_json({value})}}"
        for name, value in values.items()
    )
    there = f"list_filter([{entries}], lambda entry: entry.v is not null)"
    return (
        f"case when len({there}) > 0 then to_json(map_from_entries({there})) end::json"
    )


def rescued_members(record: str, named: Sequence[str]) -> str:
    """Return an expression for the members of a JSON object that nobody named.

    `named` are the keys of the contract, in lower case. A member that is null is left
    out; where none is left the object is NULL.
    """
    pointer = "'/' || replace(replace(key, '~', '~0'), '/', '~1')"
    keys = (
        f"list_filter(json_keys({record}), lambda key: "
        f"not list_contains({literals(named)}::varchar[], lower(key)) "
        f"and json_type({record}, {pointer}) <> 'NULL')"
    )
    members = (
        f"list_transform({keys}, "
        f"lambda key: {{'k': key, 'v': json_extract({record}, {pointer})}})"
    )
    return f"case when len({keys}) > 0 then to_json(map_from_entries({members})) end"
