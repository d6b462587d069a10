"""What answers are made of, as JSON Schema."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
FLAG: Schema = {"type": "boolean"}
ANYTHING: Schema = {}
OBJECT: Schema = {"type": "object"}
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


def extended(schema: Schema, /, **more: Schema) -> Schema:
    """Return the schema of an object that has more keys than another."""
    return record(**schema["properties"], **more)


def document(**properties: Schema) -> Schema:
    """Return the schema of a whole answer."""
    return record(schema_version={"const": 1}, **properties)


PROBLEM = record(kind=TEXT, where=TEXT, problem=TEXT, remedy=TEXT, exit_code=WHOLE)
ERROR = record(error=PROBLEM)
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
WRONG = record(column_name=maybe(TEXT), category=TEXT, error=TEXT)
REJECT = record(
    file_row=WHOLE,
    line=WHOLE,
    byte_offset=WHOLE,
    column_name=maybe(TEXT),
    category=TEXT,
    error=TEXT,
    errors=listed(WRONG),
    rejected_record=TEXT,
)
REJECT_OF_FILE = extended(REJECT, file_name=TEXT, load_seq=WHOLE, pipe_name=TEXT)
RULED = record(model=TEXT, rule=TEXT)
REFUSED = extended(
    RULED,
    rules=listed(TEXT),
    state={"enum": ["open", "replayed"]},
    file_name=TEXT,
    file_row=WHOLE,
    load_seq=WHOLE,
    version_at=INSTANT,
    values=OBJECT,
    line=maybe(WHOLE),
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
FAILED_FILE = record(
    load_seq=WHOLE,
    file_name=TEXT,
    pipe_name=TEXT,
    first_error_message=maybe(TEXT),
    error_count=WHOLE,
    at=INSTANT,
)
FAILURE = record(
    node=TEXT,
    resource_type=TEXT,
    status=TEXT,
    failures=maybe(WHOLE),
    message=maybe(TEXT),
    rows=listed(OBJECT),
)
STANDING_CHECK = record(
    node=TEXT,
    resource_type=TEXT,
    run_id=TEXT,
    status=TEXT,
    failures=maybe(WHOLE),
    message=maybe(TEXT),
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
OF_PIPE = record(file_name=TEXT, pipe_name=TEXT)
PENDING = extended(
    OF_PIPE,
    state={"enum": ["settling", "waiting", "loading", "held"]},
    since=INSTANT,
)
HELD = extended(OF_PIPE, reason=TEXT, held_at=INSTANT, answer=TEXT)
CHANGED_FILE = record(
    file=TEXT, change={"enum": ["changed", "added", "removed"]}, problem=maybe(TEXT)
)
PIPE_STANDING = record(
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
    execution_state={"enum": ["RUNNING", "PAUSED"]},
)
PIPE = extended(PIPE_STANDING, pipe_status=OBJECT)
SHELL = record(
    schema_version=WHOLE,
    project=TEXT,
    target=maybe(TEXT),
    run_id=maybe(TEXT),
    published_at=maybe(INSTANT),
    last_run_failed=FLAG,
    held=WHOLE,
    drifted=WHOLE,
    open_alerts=WHOLE,
    tasks_failed=FLAG,
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
    figures=OBJECT,
)
ABOUT = record(kind=TEXT, name=TEXT, held=maybe(TEXT), load_seq=maybe(WHOLE))
FOUND = record(
    rule=TEXT,
    cause=TEXT,
    severity=TEXT,
    message=TEXT,
    evidence=listed(TEXT),
    places=listed(record(where=TEXT, reason=TEXT)),
    about=ABOUT,
)
ALERT = extended(
    FOUND,
    alert_id=TEXT,
    opened_at=INSTANT,
    resolved_at=maybe(INSTANT),
    last_seen_at=INSTANT,
    seen=WHOLE,
    deliveries=listed(record(sink=TEXT, kind=TEXT, state=TEXT, tries=WHOLE)),
)
CAUSE = extended(
    FOUND,
    since=maybe(INSTANT),
    pipe=maybe(TEXT),
    command=maybe(TEXT),
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
    last_started_at=maybe(INSTANT),
    last_ended_at=maybe(INSTANT),
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
READ_UP_TO = record(consumer=TEXT, source=TEXT, position=WHOLE, moved_at=INSTANT)
COLUMN = record(name=TEXT, type=TEXT, description=TEXT)
LEVEL: Schema = {"enum": ["good", "warn", "bad"]}
LAST_RUN = maybe(extended(RUN, failures=listed(FAILURE)))
SETTLED = document(loads=listed(LOAD), run=maybe(RUN_ENDED))
GROUP = record(
    pipe_name=TEXT,
    category=TEXT,
    column_name=maybe(TEXT),
    reason=TEXT,
    count=WHOLE,
    first=TEXT,
    newest=TEXT,
)
