"""Parquet files: every record has an account, and nothing is lost silently."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
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


@pytest.mark.parametrize("broken", [[], [7, 123_100, 123_101, 799_999]])
def test_groups_of_odd_sizes_are_joined_as_they_are_appended(
    tmp_path: Path, broken: list[int]
) -> None:
    """Else a checkpoint may find groups to join, and write every row again."""
    records, group = 800_000, 123_100
    name = pa.array([None if i + 1 in broken else f"n{i + 1}" for i in range(records)])
    kept = name.drop_null()
    table = pa.table({"number": pa.array(range(1, records + 1)), "name": name})
    content = io.BytesIO()
    pq.write_table(table, content, row_group_size=group)
    columns = [
        {"name": "number", "type": "bigint"},
        {"name": "name", "type": "varchar", "nullable": False},
    ]
    pipe = {
        "name": "wide",
        "pattern": "*.parquet",
        "on_error": "continue",
        "file_format": PARQUET,
        "contract": {"columns": columns},
    }
    with open_shop(tmp_path / "shop", [pipe]) as shop:
        shop.land("wide.parquet", content.getvalue())
        shop.load()
        (load,) = shop.history("wide.parquet")
        assert (load["row_count"], load["error_count"]) == (len(kept), len(broken))
        assert [each.file_row for each in shop.rejects(load["load_seq"])] == broken
        ((right, count),) = shop.rows(
            "select count(*) filter (_file_row = number and name = 'n' || number), "
            "count(*) from bronze.wide"
        )
        assert (right, count) == (len(kept), len(kept))
        groups = [
            rows
            for (rows,) in shop.rows(
                "select max(start + count) - min(start) "
                "from pragma_storage_info('bronze.wide__all') group by row_group_id"
            )
        ]
        assert sum(rows < 122_880 for rows in groups) <= 2, groups  # one a thread
