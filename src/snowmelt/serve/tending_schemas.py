"""What answers about tasks, alerts, columns and the machine hold, as JSON Schema."""

from __future__ import annotations

from snowmelt.serve.records import (
    ALERT,
    FLAG,
    INSTANT,
    NUMBER,
    OBJECT,
    OF_PIPE,
    READ_UP_TO,
    SHELL,
    TASK,
    TASK_RUN,
    TEXT,
    WHOLE,
    Schema,
    document,
    extended,
    listed,
    maybe,
    record,
)

RULE = record(rule=TEXT, on=TEXT, severity=TEXT, to=listed(TEXT), every_seconds=NUMBER)
STREAM = extended(
    READ_UP_TO,
    rows_inserted=WHOLE,
    rows_deleted=WHOLE,
    loads_waiting=WHOLE,
    has_data=FLAG,
    waiting_since=maybe(INSTANT),
    stale=FLAG,
    of_log=FLAG,
)
CONDITION = record(
    task=TEXT,
    when=TEXT,
    holds=maybe(FLAG),
    problem=maybe(TEXT),
    streams=listed(record(name=TEXT, has_data=FLAG)),
)
_ENDING = record(
    state=TEXT,
    scheduled_from=TEXT,
    started_at=INSTANT,
    ended_at=maybe(INSTANT),
    first_error_task_name=maybe(TEXT),
    first_error_message=maybe(TEXT),
)
ATTEMPT = extended(_ENDING, attempt_number=WHOLE)
GRAPH_RUN = extended(
    _ENDING, graph_run_group_id=TEXT, root_task_name=TEXT, scheduled_time=INSTANT
)
BEGUN = document(
    graph_run=GRAPH_RUN, attempts=listed(ATTEMPT), task_runs=listed(TASK_RUN)
)
PUT = document(
    task=TEXT, state={"enum": ["started", "suspended"]}, changed=FLAG, is_root=FLAG
)
SINK = record(
    sink=TEXT,
    kind=maybe(TEXT),
    due=WHOLE,
    failed=WHOLE,
    error=maybe(TEXT),
    sent_at=maybe(INSTANT),
)
FINDING = record(
    check=TEXT,
    level={"enum": ["pass", "warn", "fail"]},
    ok=FLAG,
    found=TEXT,
    remedy=TEXT,
)
DRIFTED = extended(
    OF_PIPE,
    table_name=TEXT,
    held_at=INSTANT,
    reason=TEXT,
    problem=maybe(TEXT),
    waits=FLAG,
    renamed=listed(record(missing=TEXT, new=TEXT, type=TEXT)),
    approval=listed(TEXT),
    rejection=TEXT,
    new=listed(record(column_name=TEXT, column_type=TEXT, samples=listed(TEXT))),
    missing=listed(TEXT),
    retyped=listed(record(column_name=TEXT, column_type=TEXT, proposed_type=TEXT)),
)
EVOLUTION = record(
    pipe_name=TEXT,
    table_name=TEXT,
    column_name=TEXT,
    column_type=TEXT,
    evolution_type=TEXT,
    evolution_mode=TEXT,
    file_name=maybe(TEXT),
    triggering_time=INSTANT,
    load_seq=maybe(WHOLE),
)
TENDING: dict[str, Schema] = {
    "task_board": document(
        shell=SHELL,
        is_default=FLAG,
        root=TEXT,
        schedule=TEXT,
        next_time=maybe(INSTANT),
        tasks=listed(TASK),
        conditions=listed(CONDITION),
        streams=listed(STREAM),
        graph_runs=listed(
            extended(
                GRAPH_RUN,
                attempts=WHOLE,
                tasks=listed(record(name=TEXT, state=TEXT, attempt_number=WHOLE)),
            )
        ),
        next=maybe(TEXT),
    ),
    "graph_run": document(
        shell=SHELL,
        graph_run=GRAPH_RUN,
        attempts=listed(ATTEMPT),
        task_runs=listed(TASK_RUN),
    ),
    "task_detail": document(
        shell=SHELL,
        task=TASK,
        root=TEXT,
        definition=TEXT,
        before_it=listed(TEXT),
        after_it=listed(TEXT),
        condition=maybe(CONDITION),
        task_runs=listed(TASK_RUN),
        next=maybe(TEXT),
    ),
    "task_run": BEGUN,
    "task_retry": BEGUN,
    "task_suspend": PUT,
    "task_resume": PUT,
    "alert_board": document(
        shell=SHELL,
        configured=FLAG,
        open=listed(ALERT),
        open_count=WHOLE,
        alerts=listed(ALERT),
        next=maybe(TEXT),
        rules=listed(extended(RULE, open=WHOLE, problem=maybe(TEXT))),
        sinks=listed(extended(SINK, next_try_at=maybe(INSTANT))),
        muted=OBJECT,
    ),
    "alert": document(
        shell=SHELL,
        alert=ALERT,
        rule=maybe(RULE),
        muted_until=maybe(INSTANT),
        past=listed(ALERT),
    ),
    "deliveries": document(
        shell=SHELL,
        sink=SINK,
        deliveries=listed(
            record(
                delivery_id=WHOLE,
                alert_id=TEXT,
                message=maybe(TEXT),
                kind=TEXT,
                state=TEXT,
                tries=WHOLE,
                created_at=INSTANT,
                next_try_at=INSTANT,
                sent_at=maybe(INSTANT),
                error=maybe(TEXT),
            )
        ),
        next=maybe(WHOLE),
    ),
    "mute_alerts": document(target=TEXT, muted_until=maybe(INSTANT)),
    "test_alerts": document(
        sinks=listed(record(sink=TEXT, kind=TEXT, sent=FLAG, seconds=NUMBER))
    ),
    "drift": document(held=listed(DRIFTED), evolution=listed(EVOLUTION)),
    "drift_board": document(
        shell=SHELL,
        held=listed(DRIFTED),
        held_count=WHOLE,
        failed=listed(extended(OF_PIPE, load_seq=WHOLE)),
        pipes=listed(
            record(
                pipe_name=TEXT,
                table_name=TEXT,
                policy=TEXT,
                columns=WHOLE,
                changes=WHOLE,
                newest_load=maybe(WHOLE),
                unnamed=maybe(listed(TEXT)),
                absent=maybe(listed(TEXT)),
                waits=FLAG,
            )
        ),
        evolution=listed(EVOLUTION),
        evolution_count=WHOLE,
    ),
    "doctor": document(
        checked_at=INSTANT,
        findings=listed(FINDING),
        versions=listed(record(name=TEXT, version=maybe(TEXT), use=TEXT)),
        service=maybe(record(running=FLAG, pid=WHOLE, since=maybe(INSTANT))),
        warehouse=maybe(record(path=TEXT, owner_pid=WHOLE)),
        limits=OBJECT,
    ),
}
