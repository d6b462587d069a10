"""Columns named like what the engine has of its own."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError
from small_shop import columns, open_shop

from snowmelt.bronze import parquet
from snowmelt.bronze.inference.names import propose_names
from snowmelt.pipe.contract import Column

NAMES = [
    "file_row_number",
    "filename",
    "file_index",
    "j",
    "json",
    "keys",
    "span",
    "row",
]


def written(kind: str, name: str) -> bytes:
    """Return three records, the second with an id that is none."""
    records = [("5", 70), ("x", 80), ("6", 90)]
    if kind == "csv":
        return (
            f"id,{name}\n{''.join(f'{i},{n}' + chr(10) for i, n in records)}".encode()
        )
    if kind == "json":
        lines = [f'{{"id": "{i}", "{name}": {n}}}\n' for i, n in records]
        return "".join(lines).encode()
    into = io.BytesIO()
    ids, numbers = zip(*records, strict=True)
    pq.write_table(pa.table({"id": ids, name: numbers}), into)
    return into.getvalue()


@pytest.mark.parametrize("viewed_bytes", [1, 1 << 24])
@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_a_column_may_be_named_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, viewed_bytes: int
) -> None:
    monkeypatch.setattr(parquet, "_VIEWED_BYTES", viewed_bytes)
    pipes: list[dict[str, Any]] = [
        {
            "name": f"t_{name}",
            "pattern": f"{name}.*",
            "on_error": "continue",
            "file_format": {"type": kind},
            "contract": columns(f"id integer not null, {name} integer"),
        }
        for name in [*NAMES, "row_id"]
    ]
    pipes[-1]["contract"]["columns"][1]["path"] = "rowid"
    with open_shop(tmp_path / "shop", pipes) as shop:
        for name in NAMES:
            shop.land(f"{name}.{kind}", written(kind, name))
        shop.land(f"row_id.{kind}", written(kind, "rowid"))
        shop.load()
        for name in [*NAMES, "row_id"]:
            found = shop.rows(f'select id, "{name}", _file_row from bronze.t_{name}')
            expected = [(5, 70, 1), (6, 90, 3)]
            if (kind, name) == ("parquet", "file_row_number"):
                (load,) = shop.history(f"{name}.{kind}")
                assert "is a column of the file" in load["first_error_message"]
                expected = []  # no record of it can be found again
            assert sorted(found) == expected, name


def test_one_name_cannot_be_had() -> None:
    with pytest.raises(ValidationError, match="write name: row_id and path: rowid"):
        Column(name="RowID", type="integer")
    assert propose_names(["ROWID", "row_id"]) == ["row_id_2", "row_id"]


def test_a_file_that_brings_it_fails(tmp_path: Path) -> None:
    pipe = {
        "name": "t",
        "pattern": "*",
        "schema_evolution": "add_new_columns",
        "contract": columns("id integer"),
    }
    with open_shop(tmp_path / "shop", [pipe]) as shop:
        shop.land("a.csv", b"id,rowid\n1,2\n")
        shop.load()
        (load,) = shop.history("a.csv")
        assert load["status"] == "Load failed"
        assert "'rowid' is what the engine calls" in load["first_error_message"]
