"""Parquet files: every record has an account, and nothing is lost silently."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from input_case import Case
from parquet_inputs import COLUMNS, FILES, PARQUET, TYPES
from small_shop import Shop, open_shop
from test_json import contract, shown

CASES = [*FILES, *COLUMNS, *TYPES]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A project with a pipe for every case, all of them loaded."""
    pipes: list[dict[str, Any]] = [
        {
            "name": case.name,
            "pattern": f"{case.name}/**/*",
            "on_error": case.on_error,
            "file_format": PARQUET,
            "contract": contract(case.contract),
        }
        for case in CASES
    ]
    root = tmp_path_factory.mktemp("parquet") / "shop"
    with open_shop(root, pipes) as shop:
        for case in CASES:
            shop.land(f"{case.name}/file.parquet", case.content)
        shop.load()
        yield shop


def plain(value: object) -> object:
    """Return a value as cases have it; what is no number as text, to be equal."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return shown(value)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_file_loads_as_promised(shop: Shop, case: Case) -> None:
    file_name = f"{case.name}/file.parquet"
    (load,) = shop.history(file_name)
    message = load["first_error_message"]
    counts = (load["row_parsed"], load["row_count"], load["error_count"])
    assert (load["status"], counts) == (case.status, case.counts), message
    assert (case.says or "") in (message or "")
    rejects = shop.rejects(load["load_seq"])
    assert tuple(
        (each.file_row, each.line, each.column_name, each.raw) for each in rejects
    ) == tuple(case.rejects)
    assert all(each.byte_offset == 0 for each in rejects)
    rows = shop.bronze(case.name, file_name)
    assert {n: tuple(map(plain, row)) for n, row in rows.items()} == case.rows
