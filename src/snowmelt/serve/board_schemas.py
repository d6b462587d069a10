"""What a dashboard's answer holds, as JSON Schema."""

from __future__ import annotations

from snowmelt.serve.records import (
    ANYTHING,
    FLAG,
    INSTANT,
    LEVEL,
    NUMBER,
    OBJECT,
    PROBLEM,
    SHELL,
    TEXT,
    WHOLE,
    Schema,
    document,
    listed,
    maybe,
    record,
)

HEALTH = record(
    word=TEXT,
    level={"enum": ["good", "warn", "bad", ""]},
    reasons=listed(record(level=LEVEL, kind=TEXT, name=TEXT, told=TEXT)),
    left_out=WHOLE,
    data_as_of=maybe(INSTANT),
)
_FILTER = record(
    name=TEXT,
    type={"enum": ["select", "multi", "date_range", "text"]},
    label=TEXT,
    values=listed(TEXT),
    is_active=FLAG,
    is_default=FLAG,
    has_default=FLAG,
)
_CARD = record(
    card=OBJECT,
    columns=listed(TEXT),
    types=listed(TEXT),
    rows=listed(listed(ANYTHING)),
    sql=TEXT,
    parameters=listed(ANYTHING),
    models=listed(TEXT),
    filters=listed(TEXT),
    unfiltered=listed(TEXT),
    row_of=maybe(record(table=TEXT, columns=OBJECT)),
)
_CARD["properties"]["comparison"] = record(
    of=TEXT,
    value=ANYTHING,
    change=maybe(NUMBER),
    difference=maybe(NUMBER),
    why=TEXT,
)
_CARD["properties"]["problem"] = PROBLEM
_CARD["properties"]["asked"] = TEXT
_CARD["properties"]["unpublished"] = listed(TEXT)
_BOARD = document(
    name=TEXT,
    title=TEXT,
    description=TEXT,
    run_id=TEXT,
    shell=SHELL,
    health=HEALTH,
    filters=listed(_FILTER),
    chosen=TEXT,
    layout=listed(WHOLE),
    cards=listed(_CARD),
    problem=maybe(PROBLEM),
    unconfirmed=TEXT,
)
BOARD_ANSWERS: dict[str, Schema] = {
    "dashboard": _BOARD,
    "board": _BOARD,
    "dashboards": document(
        shell=SHELL,
        dashboards=listed(
            record(
                name=TEXT,
                title=TEXT,
                description=TEXT,
                cards=WHOLE,
                problem=maybe(TEXT),
                models=listed(TEXT),
                health=HEALTH,
            )
        ),
    ),
}
