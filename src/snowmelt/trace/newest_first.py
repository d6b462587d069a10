"""A row that there is once, looked for among the newest loads first.

A silver row is of one load, and rows lie in about the order of their loads, so the
engine reads only the part of a table that a range of loads is in. Who asks for the one
row of a key is done with the first that is found, and what is asked about is new more
often than not. Where nothing is found every load was looked at, each once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from snowmelt.trace.models import Models
from snowmelt.transform.graph import Node
from snowmelt.warehouse.port import Session

STEPS = (5_000_000, 20_000_000)
"""So many rows are looked at first, then so many, then all that are left."""
LOADS_A_STEP = 10_000
_LOADS = """
    select load_seq, row_count from snowmelt.load_history
    where table_schema_name = $1 and table_name = $2 and row_count > 0
        and ($3 is null or load_seq <= $3)
    order by load_seq desc limit $4
"""


def is_whole_key(node: Node, columns: Collection[str]) -> bool:
    """Is there at most one row of a model with given values in these columns?"""
    given = {each.lower() for each in columns}
    keys = {each.lower() for each in node.unique_key}
    return node.materialized == "latest_version" and bool(keys) and keys <= given


def newest_first(session: Session, models: Models, node: Node) -> Iterator[str]:
    """Yield conditions on a silver model's rows; each row meets one of them."""
    schema, table = models.tables_read(node)[0].key.split(".", 1)
    through: int | None = None
    for rows in STEPS:
        loads = session.rows(_LOADS, [schema, table, through, LOADS_A_STEP])
        after = _cut(loads, rows)
        if after is None:
            break
        yield f"_load_seq > {after}{_until(through)}"
        through = after
    yield f"true{_until(through)}"


def _cut(loads: list[tuple[int, int]], rows: int) -> int | None:
    """Return the load at which so many rows are exceeded; None: they never are."""
    for load_seq, count in loads:
        rows -= count
        if rows < 0 and load_seq != loads[0][0]:
            return load_seq
    return loads[-1][0] if len(loads) == LOADS_A_STEP else None


def _until(through: int | None) -> str:
    return "" if through is None else f" and _load_seq <= {through}"
