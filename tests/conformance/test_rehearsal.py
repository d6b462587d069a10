"""A rehearsal is as long for large tables as for small ones, and leaves nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from shop import Shop
from snowmelt.project.new import make_project
from snowmelt.transform.rehearsal import SAMPLE_ROWS, Untested, let_rows_arrive
from snowmelt.warehouse.port import Session

PIPE = """
name: sales
pattern: "sales_*.csv"
{more}
file_format: {{type: csv}}
contract:
  columns:
    - {{name: sale_id, type: bigint}}
"""


@pytest.mark.parametrize(
    ("more", "expected"), [("", SAMPLE_ROWS), ("external: true", 5000)]
)
def test_few_rows_arrive_for_every_stream(
    tmp_path: Path, more: str, expected: int
) -> None:
    root = tmp_path / "shop"
    make_project(root, "blank")
    (root / "pipes" / "sales.yml").write_text(PIPE.format(more=more))
    shop = Shop(root)
    for name, number in (("sales_1.csv", 3), ("sales_2.csv", 5000)):
        rows = "".join(f"{each}\n" for each in range(number))
        shop.land_bytes(name, f"sale_id\n{rows}".encode())
    with shop.commands() as commands:
        commands.run(None)
        warehouse = commands._parts.warehouse
        with warehouse.session() as session, session.rolled_back():
            session.execute(
                "insert into snowmelt.stream_offsets (consumer, source, position, "
                "moved_at) select 'silver.sales', 'bronze.sales', max(load_seq), now() "
                "from snowmelt.load_history"
            )
            assert yielded(session) == 0
            let_rows_arrive(session)
            assert yielded(session) == expected
        with warehouse.session() as session:
            assert session.value("select count(*) from bronze.sales") == 5003


def yielded(session: Session) -> object:
    return session.value(
        "select count(*) from bronze.sales where _load_seq > "
        "(select position from snowmelt.stream_offsets)"
    )


class Asked:
    """A session that notes what it is asked."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def table(self, sql: str, parameters: object = ()) -> None:
        self.statements.append(sql)


def test_no_test_looks_at_what_was_tested() -> None:
    asked = Asked()
    session = Untested(asked)  # type: ignore[arg-type]
    told = session.table(
        "select\n count(*) as failures,\n count(*) != 0 as should_warn,\n "
        "count(*) != 0 as should_error\nfrom (\n select 1\n\n) dbt_internal_test"
    )
    assert told.rows == [(0, False, False)]
    assert asked.statements == []
    session.table("select 1")
    assert asked.statements == ["select 1"]
