"""What answers of lineage, catalog and quality hold, as JSON Schema."""

from __future__ import annotations

from snowmelt.serve.records import (
    ACCOUNT,
    ANYTHING,
    COLUMN,
    FLAG,
    INSTANT,
    NUMBER,
    OBJECT,
    SHELL,
    TEXT,
    WHOLE,
    Schema,
    document,
    extended,
    listed,
    maybe,
    record,
)

STATE: Schema = {"enum": ["good", "warn", "bad", "none", "busy"]}
_STANDING = record(state=STATE, told=TEXT, at=maybe(INSTANT), failed_at=maybe(INSTANT))
NODE = extended(
    _STANDING,
    id=TEXT,
    name=TEXT,
    layer=TEXT,
    kind={"enum": ["files", "table", "model", "dashboard", "exposure", "layer"]},
    key=TEXT,
    selector=TEXT,
    rows=maybe(WHOLE),
)
TABLE = extended(
    _STANDING,
    key=TEXT,
    layer=TEXT,
    kind=TEXT,
    pipe_name=maybe(TEXT),
    description=TEXT,
    owner=TEXT,
    rows=maybe(WHOLE),
    columns=maybe(WHOLE),
    tests=WHOLE,
    tests_failed=WHOLE,
    tests_warned=WHOLE,
)
TEST = record(
    test=TEXT,
    kind=TEXT,
    resource_type=TEXT,
    model=maybe(TEXT),
    column=maybe(TEXT),
    severity=TEXT,
    status=maybe(TEXT),
    level={"enum": ["fail", "warn", "pass", "unknown"]},
    failures=maybe(WHOLE),
    message=maybe(TEXT),
    since=maybe(INSTANT),
    since_at_least=FLAG,
    owner=TEXT,
    runs=listed(record(run_id=TEXT, status=TEXT)),
)
UNDERSTANDING_ANSWERS: dict[str, Schema] = {
    "lineage": document(
        shell=SHELL,
        select=maybe(TEXT),
        folded=listed(TEXT),
        layers=listed(record(name=TEXT, count=WHOLE, bad=WHOLE, warn=WHOLE)),
        nodes=listed(NODE),
        edges=listed(listed(TEXT)),
        left_out=WHOLE,
        count=WHOLE,
        centre=maybe(NODE),
        names=listed(record(name=TEXT, layer=TEXT)),
    ),
    "catalog": document(shell=SHELL, tables=listed(TABLE)),
    "table": document(
        shell=SHELL,
        table=TABLE,
        is_built=FLAG,
        path=TEXT,
        sql=TEXT,
        unique_key=listed(TEXT),
        key_columns=listed(TEXT),
        columns=listed(
            extended(
                COLUMN,
                personal={"enum": ["", "declared", "inherited"]},
                is_masked=FLAG,
                tests=listed(
                    record(test=TEXT, kind=TEXT, severity=TEXT, status=maybe(TEXT))
                ),
            )
        ),
        table_tests=listed(TEXT),
        sample=record(columns=listed(TEXT), rows=listed(listed(ANYTHING))),
        history=listed(record(run_id=maybe(TEXT), at=maybe(INSTANT), rows=WHOLE)),
        reads=listed(TEXT),
        read_by=listed(TEXT),
        shown_by=listed(record(name=TEXT, title=TEXT)),
    ),
    "profile": document(
        name=TEXT,
        rows=WHOLE,
        is_sample=FLAG,
        columns=listed(
            record(
                name=TEXT,
                type=TEXT,
                nulls=WHOLE,
                distinct=WHOLE,
                min=ANYTHING,
                max=ANYTHING,
                top=listed(record(value=ANYTHING, count=WHOLE)),
                is_masked=FLAG,
            )
        ),
    ),
    "quality": document(
        shell=SHELL,
        counts=record(fail=WHOLE, warn=WHOLE, **{"pass": WHOLE}, unknown=WHOLE),
        trend=listed(
            record(
                run_id=TEXT,
                started_at=INSTANT,
                state=TEXT,
                passed=WHOLE,
                warned=WHOLE,
                failed=WHOLE,
            )
        ),
        audits=listed(record(audit_id=TEXT, state=TEXT, started_at=INSTANT)),
        sources=listed(
            record(
                pipe_name=TEXT,
                table=TEXT,
                parsed_records=WHOLE,
                rejected_records=WHOLE,
                replayed_rows=WHOLE,
                loaded_rows=WHOLE,
                accounts=listed(ACCOUNT),
                gold=listed(record(key=TEXT, rows=maybe(WHOLE))),
            )
        ),
        tests=listed(TEST),
        models=listed(TEXT),
        quarantined=WHOLE,
    ),
    "quality_test": document(
        shell=SHELL,
        test=TEST,
        rows_of_run=maybe(TEXT),
        rows=listed(ANYTHING),
        history=listed(
            record(run_id=TEXT, started_at=INSTANT, status=TEXT, seconds=NUMBER)
        ),
        sql=TEXT,
        path=TEXT,
    ),
    "search": document(
        shell=SHELL,
        text=TEXT,
        counts=OBJECT,
        dashboards=listed(record(name=TEXT, title=TEXT, kind=TEXT, is_named=FLAG)),
        tables=listed(record(key=TEXT, layer=TEXT, state=STATE, is_named=FLAG)),
        columns=listed(
            record(table=TEXT, layer=TEXT, column=TEXT, type=TEXT, is_named=FLAG)
        ),
        pipes=listed(record(name=TEXT, is_named=FLAG)),
        tasks=listed(record(name=TEXT, is_named=FLAG)),
    ),
}
