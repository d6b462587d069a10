"""What the answer about credits holds."""

from __future__ import annotations

from snowmelt.serve.records import (
    NUMBER,
    SHELL,
    TEXT,
    WHOLE,
    Schema,
    document,
    listed,
    maybe,
    record,
)

COST_ANSWERS: dict[str, Schema] = {
    "cost": document(
        shell=SHELL,
        target=maybe({"type": "object"}),
        needs=TEXT,
        days=WHOLE,
        since=maybe(TEXT),
        credits=record(pipes=NUMBER, warehouse=NUMBER, total=NUMBER),
        pipes=listed(
            record(
                pipe_name=TEXT,
                credits_used=NUMBER,
                files_inserted=WHOLE,
                bytes_inserted=WHOLE,
                bytes_billed=WHOLE,
                credits_per_1000_files=maybe(NUMBER),
            )
        ),
        warehouses=listed(
            record(
                warehouse_name=TEXT,
                credits_used=NUMBER,
                credits_models=NUMBER,
                credits_others=NUMBER,
                credits_idle=NUMBER,
            )
        ),
        models=listed(
            record(
                node=TEXT,
                name=TEXT,
                resource_type=TEXT,
                credits_used=NUMBER,
                seconds=NUMBER,
                statements=WHOLE,
                bytes_scanned=WHOLE,
            )
        ),
        by_day=listed(record(day=TEXT, pipes=NUMBER, warehouse=NUMBER)),
        note=TEXT,
    ),
}
