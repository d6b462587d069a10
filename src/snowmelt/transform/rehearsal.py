"""A build for its statements alone: little is in its streams, and no test looks.

For a transaction that is rolled back.
"""

from __future__ import annotations

from collections.abc import Sequence

from snowmelt.transform.recording import test_query
from snowmelt.warehouse.port import Session, Table
from snowmelt.warehouse.sql import identifier

SAMPLE_ROWS = 100
_LAST_LOADS = """
    select
        table_schema_name,
        table_name,
        coalesce(max(load_seq) filter (superseded_by is null), max(load_seq)),
        exists (
            from duckdb_views()
            where database_name = current_database()
                and schema_name = table_schema_name
                and view_name = table_name || '__all'
        )
    from snowmelt.load_history
    where row_count > 0
    group by table_schema_name, table_name
"""


def let_rows_arrive(session: Session) -> None:
    """Let a few rows of each table's last load arrive once more.

    They come as a load of their own: however large a table or its last load is, the
    rehearsal is as long. To a view of files nothing can be added; its streams are set
    back by the load.
    """
    arriving = session.value(
        "select coalesce(max(load_seq), 0) + 1 from snowmelt.load_history"
    )
    for schema, table, last, is_view in session.rows(_LAST_LOADS):
        if is_view:
            session.execute(
                "update snowmelt.stream_offsets set position = $1 where source = $2",
                [last - 1, f"{schema}.{table}"],
            )
            continue
        rows = f"{identifier(schema)}.{identifier(table + '__all')}"
        session.execute(
            f"insert into {rows} select * replace ({arriving} as _load_seq) "  # noqa: S608
            f"from {rows} where _load_seq = {last} limit {SAMPLE_ROWS}"
        )


class Untested:
    """A session for dbt on which every test finds nothing.

    What is published was tested; looking again at all of it is most of a build.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def table(self, sql: str, parameters: Sequence[object] = ()) -> Table:
        if test_query(sql):
            names = ["failures", "should_warn", "should_error"]
            return Table(names, ["BIGINT", "BOOLEAN", "BOOLEAN"], [(0, False, False)])
        return self._session.table(sql, parameters)

    def interrupt(self) -> None:
        self._session.interrupt()
