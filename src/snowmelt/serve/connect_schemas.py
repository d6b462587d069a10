"""What answers about places outside of the warehouse hold, as JSON Schema."""

from __future__ import annotations

from snowmelt.serve.records import (
    COLUMN,
    FLAG,
    INSTANT,
    NUMBER,
    TEXT,
    WHOLE,
    Schema,
    document,
    extended,
    listed,
    maybe,
    record,
)

PLACE = record(
    name=TEXT,
    kind={"enum": ["postgres", "parquet"]},
    where=TEXT,
    state={"enum": ["current", "behind", "failing", "never"]},
    run_id=maybe(TEXT),
    published_at=maybe(INSTANT),
    seconds=maybe(NUMBER),
    tables=listed(record(table=TEXT, way=TEXT, rows=WHOLE)),
    notes=listed(TEXT),
    problem=maybe(TEXT),
    failing_since=maybe(INSTANT),
    tries=WHOLE,
)
_DATABASE = extended(
    PLACE,
    host=TEXT,
    port=WHOLE,
    database=TEXT,
    schema=TEXT,
    user=TEXT,
    is_embedded=FLAG,
)
CONNECT_ANSWERS: dict[str, Schema] = {
    "publications": document(run_id=maybe(TEXT), places=listed(PLACE)),
    "connections": document(
        run_id=maybe(TEXT),
        postgres=listed(_DATABASE),
        parquet=listed(PLACE),
        tables=listed(
            record(
                name=TEXT,
                description=TEXT,
                key=listed(TEXT),
                partition_by=listed(TEXT),
                columns=listed(COLUMN),
                references=listed(record(column=TEXT, parent=TEXT, parent_column=TEXT)),
            )
        ),
    ),
}
