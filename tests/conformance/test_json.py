"""JSON files: every record has an account, and nothing is lost or altered silently."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from input_case import Case
from json_inputs import KEYS, LINES, SHAPES, VALUES
from small_shop import Shop, columns, open_shop

CASES = [*LINES, *KEYS, *VALUES, *SHAPES]


def contract(text: str) -> dict[str, Any]:
    """Write a contract briefly; `p varchar @a.b` has a path."""
    made = columns(text)
    for column, part in zip(made["columns"], text.split(", "), strict=True):
        if " @" in part:
            column["path"] = part.partition(" @")[2]
    return made


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A project with a pipe for every case, all of them loaded."""
    pipes: list[dict[str, Any]] = [
        {
            "name": case.name,
            "pattern": f"{case.name}/**/*",
            "on_error": case.on_error,
            "file_format": case.file_format,
            "limits": case.limits,
            "contract": contract(case.contract),
        }
        for case in CASES
    ]
    root = tmp_path_factory.mktemp("json") / "shop"
    with open_shop(root, pipes) as shop:
        for case in CASES:
            shop.land(f"{case.name}/file.json", case.content)
        shop.load()
        yield shop


def shown(value: object) -> object:
    """Return a value as cases have it: times as text."""
    plain = isinstance(value, int | float | Decimal | str | None)
    if isinstance(value, datetime) and value.tzinfo:
        return value.astimezone(tz=None).isoformat(" ")
    return value if plain else str(value)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_file_loads_as_promised(shop: Shop, case: Case) -> None:
    file_name = f"{case.name}/file.json"
    (load,) = shop.history(file_name)
    message = load["first_error_message"]
    counts = (load["row_parsed"], load["row_count"], load["error_count"])
    assert (load["status"], counts) == (case.status, case.counts), message
    assert (case.says or "") in (message or "")
    assert (message is None) == (case.status == "Loaded")

    rejects = shop.rejects(load["load_seq"])
    assert tuple(
        (each.file_row, each.line, each.column_name, each.raw) for each in rejects
    ) == tuple(case.rejects)
    for each in rejects:
        at = each.byte_offset
        assert case.content[at : at + len(each.raw)] == each.raw
    rows = shop.bronze(case.name, file_name)
    assert {n: tuple(map(shown, row)) for n, row in rows.items()} == case.rows
