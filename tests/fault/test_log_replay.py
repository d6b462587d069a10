"""What a killed process left in the log is found again, by index too."""

from __future__ import annotations

import shutil
from pathlib import Path

from snowmelt.warehouse.duckdb.warehouse import Limits, open_warehouse

LIMITS = Limits(threads=1)
NAME = "orders.csv"


def killed(path: Path) -> Path:
    """Return a copy of the file and its log, as `kill -9` leaves them now."""
    left = path.with_name("left")
    left.mkdir()
    for each in path.parent.glob(f"{path.name}*"):
        shutil.copy(each, left / each.name)
    return left / path.name


def test_a_row_of_the_log_is_in_the_index_after_a_quiet_start(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    warehouse = open_warehouse(path, folders=[tmp_path], limits=LIMITS)
    with warehouse.session() as session:
        session.execute("create table loads (file_name varchar)")
        session.execute("create index loads_file_name on loads (file_name)")
    warehouse.close()

    warehouse = open_warehouse(path, folders=[tmp_path], limits=LIMITS)
    with warehouse.session() as session:
        session.insert("loads", {"file_name": [NAME]})
        left = killed(path)
    warehouse.close()
    assert left.with_name(f"{left.name}.wal").exists()

    open_warehouse(left, folders=[left.parent], limits=LIMITS).close()

    warehouse = open_warehouse(left, folders=[left.parent], limits=LIMITS)
    with warehouse.session() as session:
        found = session.rows("select * from loads where file_name = $1", [NAME])
    warehouse.close()
    assert found == [(NAME,)]
