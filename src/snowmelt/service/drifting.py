"""Files whose columns differ from their contract: shown, approved, rejected.

An approval is one commit: the columns, the record of them and the decision. The load
comes after it, so that a process killed between the two finds a file that fits, and
loads it.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from snowmelt.bronze.table import add_columns, widen_columns
from snowmelt.errors import UsageError
from snowmelt.landing.stage import StagedFile
from snowmelt.pipe.batch import Pending
from snowmelt.pipe.contract import Column
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.evolved import (
    Evolution,
    EvolutionMode,
    EvolutionType,
    all_evolutions,
    effective_pipe,
    evolutions_of,
    insert_evolutions,
)
from snowmelt.pipe.held import (
    HeldDecision,
    HeldFile,
    HeldReason,
    decide_held,
    held_files,
)
from snowmelt.pipe.history import (
    LoadRecord,
    LoadStatus,
    insert_loads,
    next_load_seq,
    settle_files,
)
from snowmelt.pipe.version import version_at
from snowmelt.pipe.widening import widens
from snowmelt.serve.commands import Document
from snowmelt.service.documents import (
    SCHEMA_VERSION,
    loads_since,
    plain,
    run_document,
)
from snowmelt.service.drift_documents import Contracts, held_document
from snowmelt.service.loop import Loop
from snowmelt.service.parts import Parts
from snowmelt.service.questions import find_pipe, name_in_stage
from snowmelt.service.telling import tell_record, tell_settled
from snowmelt.transform.project_digest import project_digest
from snowmelt.warehouse.port import Session

log = logging.getLogger("snowmelt")
REJECTED = "rejected by a person"


def drift_document(parts: Parts, pipe: str | None) -> Document:
    """Return the files held for their columns, and how their contracts evolved."""
    pipes = [find_pipe(parts.project, pipe)] if pipe else parts.project.pipes
    with parts.warehouse.snapshot() as session:
        held = held_for_drift(session, pipe)
        evolved = [each for known in pipes for each in evolutions_of(session, known)]
        contracts = Contracts(parts.project.pipes, all_evolutions(session))
    return {
        "schema_version": SCHEMA_VERSION,
        "held": [held_document(parts, each, contracts) for each in held],
        "evolution": [plain(vars(each)) for each in evolved],
    }


def approve(loop: Loop, file: str | None, pipe: str | None) -> Document:
    """Have the contract fit a held file, or all of a pipe, and load it at once.

    New columns join the contract. Required columns that are missing become optional
    and may be NULL. A column whose values are of another type gets the narrowest
    type that holds those of the file and of bronze exactly; that is varchar where no
    other does.

    Raises UsageError when no such file is held, or it is another by now, or its new
    columns cannot be columns.
    """
    parts = loop.parts
    chosen = _choose(parts, file, pipe)
    with parts.warehouse.session() as session:
        before = next_load_seq(session) - 1
    approved = []
    for held in chosen:
        known = find_pipe(parts.project, held.pipe_name)
        with parts.loading.of(known.name):
            staged = _require_there(parts, held, known)
            _require_columns(held)
            with (
                parts.warehouse.session() as session,
                parts.warehouse.commit_lock,
                session.transaction(),
            ):
                approved.append(_approve(parts, session, known, held))
            if known.name not in parts.pending.paused:
                _load(loop, known, staged, held)
        with loop.lock:
            parts.pending.release(held.file_name)
            loop.ask_refresh()
    parts.copier.evolved()
    with parts.warehouse.snapshot() as session:
        loads = loads_since(session, before)
    run = None
    publishes = loop.publishes and loop.publishes_on_arrival
    if publishes and any(load["row_count"] for load in loads):
        run = parts.publication.publish(project_digest(parts.project.root))
    return {
        "schema_version": SCHEMA_VERSION,
        "approved": approved,
        "loads": loads,
        "run": run_document(run),
    }


def reject(loop: Loop, file: str) -> Document:
    """Let the load of a held file fail: it is not offered again as it is.

    Raises UsageError when it is not held.
    """
    parts = loop.parts
    (held,) = _choose(parts, file, None)
    known = find_pipe(parts.project, held.pipe_name)
    staged = parts.stage.look(held.file_name)
    now = parts.clock.now()
    reason = f"{REJECTED}: {held.detail.get('reason', '')}".removesuffix(": ")
    record = None
    with (
        parts.loading.of(known.name),
        parts.warehouse.session() as session,
        parts.warehouse.commit_lock,
        session.transaction(),
    ):
        if staged is not None and held.holds(staged, known.digest):
            record = _failed(parts, session, held, staged, reason)
            insert_loads(session, [record])
            status = str(record.status)
            settled = (staged, known.name, known.digest, status, record.load_seq)
            settle_files(session, [settled])
        _decide(session, held, HeldDecision.REJECTED, now)
    if record is not None:
        tell_record(parts.events, record)
    with loop.lock:
        parts.pending.release(held.file_name)
        loop.ask_refresh()
    return {
        "schema_version": SCHEMA_VERSION,
        "rejected": {
            "file_name": held.file_name,
            "pipe_name": held.pipe_name,
            "reason": reason,
        },
    }


def held_for_drift(session: Session, pipe: str | None) -> list[HeldFile]:
    """Return the files that wait for a decision about their columns."""
    return [
        each
        for each in held_files(session).values()
        if each.reason is HeldReason.DRIFT and pipe in (None, each.pipe_name)
    ]


def _choose(parts: Parts, file: str | None, pipe: str | None) -> list[HeldFile]:
    """Return the held files that are meant. Raises UsageError for none."""
    if pipe:
        find_pipe(parts.project, pipe)
    name = name_in_stage(parts, file) if file else None
    if not (name or pipe):
        raise UsageError("drift approve", "it needs a FILE or --pipe")
    with parts.warehouse.snapshot() as session:
        held = held_for_drift(session, pipe)
    chosen = [each for each in held if name in (None, each.file_name)]
    if not chosen:
        raise UsageError(
            name or f"--pipe {pipe}",
            "no file is held for its columns",
            "See: snowmelt drift",
        )
    return chosen


def _require_there(parts: Parts, held: HeldFile, pipe: Pipe) -> StagedFile:
    staged = parts.stage.look(held.file_name)
    if staged is None or not held.holds(staged, pipe.digest):
        raise UsageError(
            held.file_name,
            "it is gone, or it or its pipe changed since it was held",
            "Have it looked at again: snowmelt run",
        )
    return staged


def _require_columns(held: HeldFile) -> None:
    if held.detail.get("problem"):
        raise UsageError(
            held.file_name,
            f"it cannot be approved: {held.detail['problem']}",
            f"Correct the file, or: snowmelt drift reject {held.file_name}",
        )


def _approve(
    parts: Parts, session: Session, pipe: Pipe, held: HeldFile
) -> dict[str, Any]:
    """Change table and contract, and close the hold, in the caller's transaction."""
    now = parts.clock.now()
    _decide(session, held, HeldDecision.RELEASED, now)
    known = effective_pipe(session, pipe)
    there = {column.name: column for column in known.contract.columns}
    added = [
        Column(name=each["column_name"], type=each["column_type"], optional=True)
        for each in held.detail.get("new", ())
    ]
    added = [column for column in added if column.name not in there]
    freed = [
        there[name]
        for name in held.detail.get("missing", ())
        if name in there and not there[name].optional
    ]
    widened = [
        there[each["column_name"]].model_copy(update={"type": each["proposed_type"]})
        for each in held.detail.get("retyped", ())
        if each["column_name"] in there
        and widens(there[each["column_name"]].type, each["proposed_type"])
    ]
    add_columns(session, known, added)
    widen_columns(session, known, widened)
    changes = {
        EvolutionType.ADD_COLUMN: added,
        EvolutionType.DROP_NOT_NULL: freed,
        EvolutionType.WIDEN_TYPE: widened,
    }
    evolutions = [
        Evolution(
            pipe_name=pipe.name,
            table_name=pipe.table_name,
            column_name=column.name,
            column_type=column.type,
            evolution_type=kind,
            evolution_mode=EvolutionMode.APPROVED,
            file_name=held.file_name,
            triggering_time=now,
        )
        for kind, columns in changes.items()
        for column in columns
    ]
    insert_evolutions(session, evolutions)
    return {
        "file_name": held.file_name,
        "pipe_name": held.pipe_name,
        "added": [_named(column) for column in added],
        "made_optional": [column.name for column in freed],
        "widened": [_named(column) for column in widened],
    }


def _decide(
    session: Session, held: HeldFile, decided: HeldDecision, now: datetime
) -> None:
    if not decide_held(session, held.file_name, decided, now):
        raise UsageError(
            held.file_name,
            "somebody else decided about it meanwhile",
            f"See: snowmelt why {held.file_name}",
        )


def _named(column: Column) -> Document:
    return {"column_name": column.name, "column_type": column.type}


def _load(loop: Loop, pipe: Pipe, staged: StagedFile, held: HeldFile) -> None:
    """Load a file that was approved. What goes wrong is for the loop to try again."""
    parts = loop.parts
    pending = Pending(staged, pipe.name, held.held_at)
    try:
        for outcome in parts.copier.copy(pipe, [pending]).outcomes:
            loop.warnings += tell_settled(parts.events, outcome)
    except Exception as error:
        log.exception("%s could not be copied", staged.name)
        loop.note(f"{staged.name}: {error}")


def _failed(
    parts: Parts, session: Session, held: HeldFile, staged: StagedFile, reason: str
) -> LoadRecord:
    """Return the record of a load that a person refused: of it nothing was copied."""
    pipe, now = find_pipe(parts.project, held.pipe_name), parts.clock.now()
    return LoadRecord(
        file_name=held.file_name,
        stage_location=parts.stage.location,
        last_load_time=now,
        row_count=0,
        row_parsed=0,
        file_size=staged.size,
        first_error_message=reason,
        first_error_line_number=None,
        first_error_character_pos=None,
        first_error_column_name=None,
        error_count=0,
        error_limit=pipe.on_error,
        status=LoadStatus.LOAD_FAILED,
        table_schema_name=pipe.schema_name,
        table_name=pipe.table_name,
        pipe_name=pipe.name,
        pipe_received_time=held.held_at,
        load_seq=next_load_seq(session),
        content_sha256=None,
        version_at=version_at(held.file_name, staged.modified_at),
        superseded_by=None,
        duplicate_of=None,
        replay_of=None,
        header=None,
        started_at=now,
    )
