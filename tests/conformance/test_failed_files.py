"""A file that failed is easy to find afterwards, with the place and what helps."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_shop import columns, open_shop

from snowmelt.cli.status import tell_failed
from snowmelt.service.explaining import explain
from snowmelt.service.status import status_document

PIPE = {
    "name": "orders",
    "pattern": "*.csv",
    "contract": columns("id integer, name varchar"),
}
FAILING = {
    "a b.csv": (
        b"id,name\n1,x\nzz,y\n",
        "Line 3: column id: 'zz' is not a valid integer",
        "1 record was refused: snowmelt rejects --file 'a b.csv'",
    ),
    "latin.csv": (
        b"id,name\n1,caf\xe9\n",
        "Line 2: column name: bytes that are not UTF-8",
        "file_format.encoding: windows1252",
    ),
    "other.csv": (b"id,nmae\n1,x\n", "is not in the header", "reads 'id, nmae'"),
}


def test_status_names_files_that_failed_and_why_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_shop(tmp_path, [PIPE]) as shop:
        for name, (content, *_) in FAILING.items():
            shop.land(name, content)
        shop.load()
        for name, (_, *told) in FAILING.items():
            answer = explain(shop.parts, name)["answer"]
            assert all(each in answer for each in told), answer
        failed = status_document(shop.loop, serving=False)["failed"]
        shop.land("latin.csv", "id,name\n1,café\n".encode())
        shop.load()
        left = status_document(shop.loop, serving=False)["failed"]
    assert {each["file_name"] for each in failed} == FAILING.keys()
    assert {each["file_name"] for each in left} == {"a b.csv", "other.csv"}
    tell_failed(failed)
    shown = capsys.readouterr().err
    assert "(1 record refused); see: snowmelt why 'a b.csv'\n" in shown
    tell_failed(failed * 2)
    assert "1 more file failed; see: snowmelt history" in capsys.readouterr().err
