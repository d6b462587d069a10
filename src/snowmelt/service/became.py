"""Traces as documents: what a file, a load or one record became."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from snowmelt.errors import UsageError
from snowmelt.pipe.evolved import effective_pipe
from snowmelt.serve.commands import Document
from snowmelt.service.documents import SCHEMA_VERSION, plain
from snowmelt.service.parts import Parts
from snowmelt.service.places import Places
from snowmelt.service.questions import name_in_stage
from snowmelt.service.tracing import ROWS_MAX, Tracing, loads_document
from snowmelt.trace.account import account_of_load, fate_of_record, silver_models
from snowmelt.trace.forward import Forward, load_condition
from snowmelt.trace.models import Models
from snowmelt.trace.silver import parse_record, stand_in, would_become
from snowmelt.warehouse.port import Session

LOADS_SHOWN_MAX = 20
_LOADS = """
    select load_seq, file_name, pipe_name, table_schema_name, table_name, status,
        row_parsed, row_count, error_count, last_load_time, version_at, superseded_by,
        duplicate_of, replay_of, first_error_message, header
    from snowmelt.load_history
"""


def became_document(
    parts: Parts,
    file: str | None,
    load: int | None,
    row: int | None,
    limit: int,
) -> Document:
    """Return what a file (all its loads) or one load became; of `row`, one record.

    Raises UsageError when there is no such file, load or record.
    """
    limit = min(limit, ROWS_MAX)
    with Tracing(parts).opened() as (session, models):
        loads = _find_loads(session, parts, file, load)
        document: Document = {"schema_version": SCHEMA_VERSION, "row": row}
        document["file_name"] = loads[0]["file_name"]
        document["pipe_name"] = loads[0]["pipe_name"]
        live = [each for each in loads if _is_live(each)]
        if row is None:
            document["loads"] = [_load(session, models, each) for each in loads]
        else:
            document["record"] = _record(parts, session, models, loads, row)
            live = [each for each in live if not document["record"].get("rejected")]
        return document | _forward(session, models, live, row, limit)


def _find_loads(
    session: Session, parts: Parts, file: str | None, load: int | None
) -> list[dict[str, Any]]:
    if load is not None:
        where, given = "where load_seq = $1", str(load)
        parameters: list[object] = [load]
    else:
        given = name_in_stage(parts, str(file))
        where = "where file_name = $1 or ends_with(file_name, '/' || $1)"
        parameters = [given]
    table = session.table(
        f"{_LOADS} {where} order by load_seq desc limit {LOADS_SHOWN_MAX}", parameters
    )
    if not table.rows:
        raise UsageError(
            f"--load {load}" if load is not None else given,
            "there is no such load" if load is not None else "no load is of this file",
            "See: snowmelt history"
            + ("" if load is not None else f", snowmelt why {given}"),
        )
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def _is_live(load: dict[str, Any]) -> bool:
    return load["superseded_by"] is None and load["row_count"] > 0


def _load(session: Session, models: Models, load: dict[str, Any]) -> Document:
    """Return a load and what each silver model has of its rows."""
    (told,) = loads_document(session, {load["load_seq"]: load["row_count"]}, "gold.")
    shown = {name: plain(value) for name, value in load.items() if name != "header"}
    account = account_of_load(session, models, load) if load["row_count"] else []
    run = told["run"] if load["row_count"] else None
    return shown | {"run": run, "silver": account}


def _forward(
    session: Session,
    models: Models,
    live: list[dict[str, Any]],
    row: int | None,
    limit: int,
) -> Document:
    forward = Forward(session, models, limit)
    rows = 0
    for table in {
        f"{each['table_schema_name']}.{each['table_name']}": None for each in live
    }:
        seqs = [
            each["load_seq"]
            for each in live
            if f"{each['table_schema_name']}.{each['table_name']}" == table
        ]
        rows += forward.begin(table, load_condition(seqs, row))
    if rows:
        forward.follow()
    return {
        "bronze_rows": rows,
        "became": [plain(asdict(each)) for each in forward.reached],
        "coarse": [asdict(each) for each in forward.coarse],
        "exact": not forward.coarse,
    }


# One record.


def _record(
    parts: Parts,
    session: Session,
    models: Models,
    loads: list[dict[str, Any]],
    row: int,
) -> Document:
    """Return where one record of the newest load that has it is, and what it became."""
    for load in loads:
        rejected = session.table(
            "select * from snowmelt.rejects where load_seq = $1 and file_row = $2",
            [load["load_seq"], row],
        )
        if rejected.rows:
            reject = dict(zip(rejected.columns, rejected.rows[0], strict=True))
            return _rejected(parts, session, models, load, reject)
        table = f"{load['table_schema_name']}.{load['table_name']}"
        found = load["row_count"] and session.value(
            f'select count(*) from "{load["table_schema_name"]}".'  # noqa: S608
            f'"{load["table_name"]}__all" where _load_seq = $1 and _file_row = $2',
            [load["load_seq"], row],
        )
        if found:
            record = (load["load_seq"], row)
            place = Places(parts, session).find(table, [record])[record]
            return {
                "load_seq": load["load_seq"],
                "file_row": row,
                "line": place.line,
                "no_line": place.why,
                "record": place.raw,
                "superseded_by": load["superseded_by"],
                "silver": plain(fate_of_record(session, models, load, row)),
            }
    newest = loads[0]
    raise UsageError(
        f"--row {row}",
        f"load {newest['load_seq']} of {newest['file_name']} has no record {row}: "
        f"{newest['row_parsed']} were counted",
        "Records are counted from 1, the header is none.",
    )


def _rejected(
    parts: Parts,
    session: Session,
    models: Models,
    load: dict[str, Any],
    reject: dict[str, Any],
) -> Document:
    """Return a record that was refused, and what it would be and touch."""
    table = f"{load['table_schema_name']}.{load['table_name']}"
    document: Document = {
        "rejected": True,
        "load_seq": load["load_seq"],
        "file_row": reject["file_row"],
        "line": reject["line"],
        "record": bytes(reject["rejected_record"]).decode("utf-8", "backslashreplace"),
        "errors": json.loads(reject["errors"]),
        "replayed_by": reject["replayed_by"],
    }
    pipe = next(
        (p for p in parts.project.pipes if p.name == load["pipe_name"]),
        None,
    )
    if pipe is None:
        return document | {"would": [], "not_known": "its pipe is not here any more"}
    pipe = effective_pipe(session, pipe)
    raw = bytes(reject["rejected_record"])
    parsed = parse_record(session, pipe, load["header"], raw)
    if not parsed.values:
        return document | {"would": [], "not_known": "its fields cannot be told apart"}
    row = stand_in(pipe, parsed, load, reject["file_row"])
    would = would_become(session, models, silver_models(models, table), row)
    return document | {
        "values": plain(dict(parsed.values)),
        "unreadable": list(parsed.unreadable),
        "missing": list(parsed.missing),
        "aligned": parsed.aligned,
        "would": [plain(asdict(each)) for each in would],
    }
