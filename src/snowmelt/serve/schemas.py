"""What each answer holds, as JSON Schema. Documents may grow: more keys may come."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
FLAG: Schema = {"type": "boolean"}
ANYTHING: Schema = {}
INSTANT: Schema = {"type": "string", "format": "date-time"}


def maybe(schema: Schema) -> Schema:
    """Return the schema of a value that may be null."""
    if isinstance(schema.get("type"), str):
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def listed(schema: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": schema}


def record(**properties: Schema) -> Schema:
    """Return the schema of an object that has all of these keys."""
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties,
    }


def document(**properties: Schema) -> Schema:
    """Return the schema of a whole answer."""
    return record(schema_version={"const": 1}, **properties)


ERROR = record(
    error=record(kind=TEXT, where=TEXT, problem=TEXT, remedy=TEXT, exit_code=WHOLE)
)
STATUSES = ("Loaded", "Partially loaded", "Load failed", "Load skipped")
LOAD = record(
    file_name=TEXT,
    stage_location=TEXT,
    last_load_time=INSTANT,
    row_count=WHOLE,
    row_parsed=WHOLE,
    file_size=WHOLE,
    first_error_message=maybe(TEXT),
    first_error_line_number=maybe(WHOLE),
    first_error_character_pos=maybe(WHOLE),
    first_error_column_name=maybe(TEXT),
    error_count=WHOLE,
    error_limit=TEXT,
    status={"enum": list(STATUSES)},
    table_schema_name=TEXT,
    table_name=TEXT,
    pipe_name=TEXT,
    pipe_received_time=INSTANT,
    load_seq=WHOLE,
    content_sha256=maybe(TEXT),
    version_at=INSTANT,
    superseded_by=maybe(WHOLE),
    duplicate_of=maybe(WHOLE),
    replay_of=maybe(WHOLE),
    started_at=INSTANT,
    first_commit_time=maybe(INSTANT),
    etag=maybe(TEXT),
    bytes_read=maybe(WHOLE),
)
_WRONG = record(column_name=maybe(TEXT), category=TEXT, error=TEXT)
REJECT = record(
    file_row=WHOLE,
    line=WHOLE,
    byte_offset=WHOLE,
    column_name=maybe(TEXT),
    category=TEXT,
    error=TEXT,
    errors=listed(_WRONG),
    rejected_record=TEXT,
)
REJECT_OF_FILE = record(
    **REJECT["properties"], file_name=TEXT, load_seq=WHOLE, pipe_name=TEXT
)
RUN = record(
    run_id=TEXT,
    state={"enum": ["EXECUTING", "SUCCEEDED", "FAILED"]},
    reason=TEXT,
    started_at=INSTANT,
    ended_at=maybe(INSTANT),
    read_through=maybe(WHOLE),
    full_refresh=TEXT,
    models=maybe(WHOLE),
    tests=maybe(WHOLE),
    error=maybe(TEXT),
)
FAILURE = record(
    node=TEXT,
    resource_type=TEXT,
    status=TEXT,
    failures=maybe(WHOLE),
    message=maybe(TEXT),
    rows=listed({"type": "object"}),
)
RUN_ENDED = record(
    run_id=TEXT,
    state=TEXT,
    reason=TEXT,
    way=TEXT,
    seconds=NUMBER,
    models=WHOLE,
    tests=WHOLE,
    failures=listed(FAILURE),
    error=maybe(TEXT),
)
ACCOUNT = record(
    model=TEXT,
    bronze_rows=WHOLE,
    silver_rows=WHOLE,
    quarantined_rows=WHOLE,
    dropped_rows=WHOLE,
    superseded_rows=WHOLE,
    deduplicated_rows=WHOLE,
)
PENDING = record(
    file_name=TEXT,
    pipe_name=TEXT,
    state={"enum": ["settling", "waiting", "loading", "held"]},
    since=INSTANT,
)
HELD = record(file_name=TEXT, pipe_name=TEXT, reason=TEXT, held_at=INSTANT, answer=TEXT)
PIPE = record(
    pipe_name=TEXT,
    table_name=TEXT,
    last_load_time=maybe(INSTANT),
    files_loaded=WHOLE,
    files_failed=WHOLE,
    files_skipped=WHOLE,
    row_count=maybe(WHOLE),
    open_rejects=WHOLE,
    pending=WHOLE,
    held=WHOLE,
    pipe_status={"type": "object"},
    execution_state={"enum": ["RUNNING", "PAUSED"]},
)
SHELL = record(
    schema_version=WHOLE,
    project=TEXT,
    run_id=maybe(TEXT),
    published_at=maybe(INSTANT),
    last_run_failed=FLAG,
    held=WHOLE,
    pending=WHOLE,
    failed_files=WHOLE,
    open_rejects=WHOLE,
    as_of=INSTANT,
)
ADVICE = record(
    kind=TEXT,
    node=TEXT,
    resource_type=TEXT,
    found=TEXT,
    seconds=NUMBER,
    runs=WHOLE,
    since=INSTANT,
    until=INSTANT,
    advice=TEXT,
    file=TEXT,
    change=TEXT,
    figures={"type": "object"},
)
ALERT = record(
    alert_id=TEXT,
    rule=TEXT,
    cause=TEXT,
    severity=TEXT,
    opened_at=INSTANT,
    resolved_at=maybe(INSTANT),
    last_seen_at=INSTANT,
    seen=WHOLE,
    message=TEXT,
    evidence=listed(TEXT),
    deliveries=listed(record(sink=TEXT, kind=TEXT, state=TEXT, tries=WHOLE)),
)
CAUSE = record(
    rule=TEXT,
    severity=TEXT,
    cause=TEXT,
    message=TEXT,
    since=maybe(INSTANT),
    pipe=maybe(TEXT),
    command=maybe(TEXT),
    evidence=listed(TEXT),
    alert_id=maybe(TEXT),
)
TASK = record(
    name=TEXT,
    kind=TEXT,
    text=TEXT,
    after=listed(TEXT),
    finalize=maybe(TEXT),
    when=maybe(TEXT),
    state={"enum": ["started", "suspended"]},
    suspended_by=maybe(TEXT),
    reason=maybe(TEXT),
    since=maybe(INSTANT),
    last_state=maybe(TEXT),
    last_scheduled_at=maybe(INSTANT),
    last_error=maybe(TEXT),
    next_time=maybe(INSTANT),
)
TASK_RUN = record(
    name=TEXT,
    state=TEXT,
    attempt_number=WHOLE,
    scheduled_from=TEXT,
    scheduled_time=INSTANT,
    query_start_time=maybe(INSTANT),
    completed_time=maybe(INSTANT),
    error_message=maybe(TEXT),
    return_value=maybe(TEXT),
    kind=TEXT,
    graph_run_group_id=TEXT,
    run_id=maybe(TEXT),
)
LEVEL: Schema = {"enum": ["good", "warn", "bad"]}
_LAST_RUN = maybe(record(**RUN["properties"], failures=listed(FAILURE)))
_SETTLED = document(loads=listed(LOAD), run=maybe(RUN_ENDED))
_GROUP = record(
    pipe_name=TEXT,
    category=TEXT,
    column_name=maybe(TEXT),
    reason=TEXT,
    count=WHOLE,
    first=TEXT,
    newest=TEXT,
)

ANSWERS: dict[str, Schema] = {
    "status": document(
        project=TEXT,
        service=record(running=FLAG, pid=WHOLE),
        landing=TEXT,
        problems=listed(TEXT),
        warnings=listed(TEXT),
        pipes=listed(PIPE),
        pending=listed(PENDING),
        held=listed(HELD),
        unmatched=listed(TEXT),
        last_run=_LAST_RUN,
        reconciliation=listed(ACCOUNT),
        lag=record(next_run_at=maybe(INSTANT), models=listed({"type": "object"})),
        alerts=record(open=WHOLE),
        tasks=record(count=WHOLE, publishes=FLAG, next_time=maybe(INSTANT)),
        limits={"type": "object"},
    ),
    "history": document(loads=listed(LOAD)),
    "log": document(
        steps=listed(
            record(
                turn=maybe(WHOLE),
                run_id=maybe(TEXT),
                step=TEXT,
                object=TEXT,
                started_at=INSTANT,
                ended_at=maybe(INSTANT),
                status=TEXT,
                details={"type": "object"},
            )
        )
    ),
    "rejects": document(
        count=WHOLE, rejects=listed(record(**REJECT_OF_FILE["properties"], status=TEXT))
    ),
    "reject_groups": document(count=WHOLE, groups=listed(_GROUP)),
    "quarantine": document(rows=listed({"type": "object"})),
    "quarantine_groups": document(
        groups=listed(record(model=TEXT, rule=TEXT, count=WHOLE))
    ),
    "streams": document(
        streams=listed(
            record(consumer=TEXT, source=TEXT, position=WHOLE, moved_at=INSTANT)
        )
    ),
    "advise": document(
        evidence=record(runs=WHOLE, runs_usual=WHOLE, runs_min=WHOLE),
        advice=listed(ADVICE),
        thresholds={"type": "object"},
    ),
    "alerts": document(
        configured=FLAG,
        open=listed(ALERT),
        causes=listed(CAUSE),
        problems=listed(record(rule=TEXT, problem=TEXT)),
        rules=listed(record(rule=TEXT)),
        sinks=listed(record(sink=TEXT, kind=TEXT)),
    ),
    "alert_history": document(alerts=listed(ALERT)),
    "tasks": document(
        is_default=FLAG,
        root=TEXT,
        schedule=TEXT,
        graph_version=maybe(WHOLE),
        publishes=FLAG,
        next_time=maybe(INSTANT),
        graph_runs_under_way=WHOLE,
        tasks=listed(TASK),
        limits={"type": "object"},
    ),
    "task_history": document(task_runs=listed(TASK_RUN)),
    "drift": document(),
    "why": document(target=TEXT, kind={"enum": ["file", "model"]}, answer=TEXT),
    "dashboard": document(
        name=TEXT,
        title=TEXT,
        run_id=TEXT,
        shell=SHELL,
        layout=listed(WHOLE),
        cards=listed(
            record(
                card={"type": "object"},
                columns=listed(TEXT),
                rows=listed(listed(ANYTHING)),
                sql=TEXT,
            )
        ),
    ),
    "health": document(
        shell=SHELL,
        verdict=record(level=LEVEL, sentence=TEXT),
        attention=listed(
            record(level=LEVEL, kind=TEXT, name=TEXT, told=TEXT, command=TEXT)
        ),
        freshness=record(
            newest_at=maybe(INSTANT), state={"enum": ["pass", "warn", "error"]}
        ),
        day=record(files=WHOLE, rows=WHOLE, rejected=WHOLE, failed=WHOLE),
        tests=record(total=WHOLE, passed=WHOLE, warned=WHOLE, failed=WHOLE),
        last_run=_LAST_RUN,
        recent=listed(LOAD),
        waterfall=record(
            parsed_records=WHOLE, rejected_records=WHOLE, loaded_rows=WHOLE
        ),
        lineage=record(
            nodes=listed(record(id=TEXT, name=TEXT, layer=TEXT, state=TEXT, told=TEXT)),
            edges=listed(listed(TEXT)),
        ),
    ),
    "shell": SHELL,
    "files": document(
        shell=SHELL,
        pipes=listed(TEXT),
        loads=listed(LOAD),
        next=maybe(WHOLE),
        pending=listed(PENDING),
        pending_count=WHOLE,
        held=listed(HELD),
        unmatched=listed(TEXT),
    ),
    "file": document(
        shell=SHELL,
        load=LOAD,
        groups=listed(record(reason=TEXT, count=WHOLE, first_line=WHOLE)),
        rejects=listed(REJECT),
        past=listed(LOAD),
        steps=listed(record(step=TEXT, status=TEXT, started_at=INSTANT)),
        after_load=listed(record(action=TEXT, state=TEXT)),
    ),
    "reject_samples": document(
        shell=SHELL, count=WHOLE, rejects=listed(REJECT_OF_FILE)
    ),
    "runs": document(
        shell=SHELL,
        runs=listed(
            record(
                **RUN["properties"],
                way=maybe(TEXT),
                fallback_reason=maybe(TEXT),
                failed_nodes=WHOLE,
                warned_nodes=WHOLE,
            )
        ),
        next=maybe(TEXT),
    ),
    "run_detail": document(
        shell=SHELL,
        run=RUN,
        nodes=listed(
            record(
                node=TEXT,
                resource_type=TEXT,
                status=TEXT,
                seconds=NUMBER,
                started_at=maybe(INSTANT),
                rows_out=maybe(WHOLE),
            )
        ),
        failures=listed(FAILURE),
        reconciliation=listed(ACCOUNT),
    ),
    "dashboards": document(
        shell=SHELL,
        dashboards=listed(
            record(name=TEXT, title=TEXT, cards=WHOLE, problem=maybe(TEXT))
        ),
    ),
    "tables": document(
        run_id=maybe(TEXT), tables=listed(record(name=TEXT, rows=maybe(WHOLE)))
    ),
    "run": _SETTLED,
    "refresh": _SETTLED,
    "reload": _SETTLED,
    "replay": document(
        replayed=listed(
            record(file_name=TEXT, origin=WHOLE, tried=WHOLE, loaded=WHOLE)
        ),
        run=maybe(RUN_ENDED),
    ),
    "pause": document(pipe_name=TEXT, execution_state={"const": "PAUSED"}),
    "resume": document(pipe_name=TEXT, execution_state={"const": "RUNNING"}),
    "hold": document(file_name=TEXT, pipe_name=TEXT, state={"const": "held"}),
    "release": document(file_name=TEXT, state={"const": "released"}),
    "approve": document(),
    "reject": document(rejected=record(file_name=TEXT, pipe_name=TEXT, reason=TEXT)),
    "rebuild": document(run=maybe(RUN_ENDED)),
    "audit": document(audit=record(audit_id=TEXT, state=TEXT, reason=TEXT)),
}
