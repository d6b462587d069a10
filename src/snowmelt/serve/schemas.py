"""What each answer holds, as JSON Schema. Documents may grow: more keys may come."""

from __future__ import annotations

from snowmelt.serve.board_schemas import BOARD_ANSWERS
from snowmelt.serve.connect_schemas import CONNECT_ANSWERS
from snowmelt.serve.cost_schemas import COST_ANSWERS
from snowmelt.serve.records import (
    ACCOUNT,
    ADVICE,
    ALERT,
    CAUSE,
    CHANGED_FILE,
    FAILED_FILE,
    FAILURE,
    FLAG,
    GROUP,
    HELD,
    INSTANT,
    LAST_RUN,
    LEVEL,
    LOAD,
    NUMBER,
    OBJECT,
    PENDING,
    PIPE,
    PIPE_STANDING,
    READ_UP_TO,
    REFUSED,
    REJECT,
    REJECT_OF_FILE,
    RULED,
    RUN,
    RUN_ENDED,
    SETTLED,
    SHELL,
    STANDING_CHECK,
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
from snowmelt.serve.tending_schemas import TENDING
from snowmelt.serve.understanding_schemas import UNDERSTANDING_ANSWERS

ANSWERS: dict[str, Schema] = {
    "status": document(
        project=TEXT,
        service=record(running=FLAG, pid=WHOLE),
        landing=TEXT,
        problems=listed(TEXT),
        warnings=listed(TEXT),
        changed_files=listed(CHANGED_FILE),
        pipes=listed(PIPE),
        pending=listed(PENDING),
        held=listed(HELD),
        unmatched=listed(TEXT),
        failed=listed(FAILED_FILE),
        last_run=LAST_RUN,
        checks=listed(STANDING_CHECK),
        reconciliation=listed(ACCOUNT),
        lag=record(next_run_at=maybe(INSTANT), models=listed(OBJECT)),
        alerts=record(open=WHOLE),
        tasks=record(count=WHOLE, publishes=FLAG, next_time=maybe(INSTANT)),
        limits=OBJECT,
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
                details=OBJECT,
            )
        )
    ),
    "rejects": document(
        count=WHOLE, rejects=listed(extended(REJECT_OF_FILE, status=TEXT))
    ),
    "reject_groups": document(count=WHOLE, groups=listed(GROUP)),
    "quarantine": document(count=WHOLE, replayed=WHOLE, rows=listed(REFUSED)),
    "quarantine_groups": document(
        count=WHOLE,
        groups=listed(
            extended(RULED, count=WHOLE, first=TEXT, newest=TEXT, example=OBJECT)
        ),
    ),
    "streams": document(streams=listed(READ_UP_TO)),
    "advise": document(
        evidence=record(runs=WHOLE, runs_usual=WHOLE, runs_min=WHOLE),
        advice=listed(ADVICE),
        thresholds=OBJECT,
    ),
    "alerts": document(
        configured=FLAG,
        open=listed(ALERT),
        causes=listed(CAUSE),
        problems=listed(record(rule=TEXT, problem=TEXT)),
        rules=listed(record(rule=TEXT)),
        sinks=listed(record(sink=TEXT, kind=TEXT)),
        warnings=listed(TEXT),
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
        limits=OBJECT,
    ),
    "task_history": document(task_runs=listed(TASK_RUN)),
    "why": document(target=TEXT, kind={"enum": ["file", "model"]}, answer=TEXT),
    **BOARD_ANSWERS,
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
        last_run=LAST_RUN,
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
    "pipes": document(
        shell=SHELL, pipes=listed(PIPE_STANDING), changed_files=listed(CHANGED_FILE)
    ),
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
            extended(
                RUN,
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
    "tables": document(
        run_id=maybe(TEXT), tables=listed(record(name=TEXT, rows=maybe(WHOLE)))
    ),
    **CONNECT_ANSWERS,
    **COST_ANSWERS,
    "run": SETTLED,
    "refresh": SETTLED,
    "reload": SETTLED,
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
    **TENDING,
    "audit": document(audit=record(audit_id=TEXT, state=TEXT, reason=TEXT)),
    **UNDERSTANDING_ANSWERS,
}
