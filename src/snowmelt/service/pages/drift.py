"""Drift: files whose columns differ, what each pipe does about it, what evolved."""

from __future__ import annotations

from typing import Any

from snowmelt.bronze.raw_form import RawForm
from snowmelt.pipe.contract import Contract
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.evolution import FileColumn, compare
from snowmelt.pipe.evolved import Evolution, all_evolutions
from snowmelt.serve.commands import Document
from snowmelt.service.documents import SCHEMA_VERSION, plain
from snowmelt.service.drift_documents import POLICIES, Contracts, held_document
from snowmelt.service.drifting import held_for_drift
from snowmelt.service.loop import Loop
from snowmelt.service.pages.remembered import remembered
from snowmelt.service.pages.shell import failed_files, shell_document
from snowmelt.service.questions import find_pipe
from snowmelt.warehouse.port import Session

LIMIT_MAX = 500
HELD_MAX = 50
COLUMNS_NAMED = 30
ABOUT_COLUMNS = (
    "not in the contract",
    "required column",
    "none of the contract's columns",
    "columns cannot be added",
)
"""What a load's error says when it is about the columns of its file."""


def drift_board_document(loop: Loop, pipe: str | None, limit: int) -> Document:
    """Return what waits, what failed, and how contracts stand and evolved."""
    parts = loop.parts
    chosen = [find_pipe(parts.project, pipe)] if pipe else parts.project.pipes
    limit = max(1, min(limit, LIMIT_MAX))
    with parts.warehouse.snapshot() as session:
        shell = shell_document(loop, session)
        held = held_for_drift(session, pipe)
        evolved = all_evolutions(session)
        failed = failed_files(loop, session)
        headers = remembered(parts.warehouse, session, _newest_headers)
    contracts = Contracts(parts.project.pipes, evolved)
    names = {each.name for each in chosen}
    changes = [
        each for own in evolved.values() for each in own if each.pipe_name in names
    ]
    changes.sort(key=lambda each: each.triggering_time, reverse=True)
    waiting = {each.pipe_name for each in held}
    return {
        "schema_version": SCHEMA_VERSION,
        "shell": shell,
        "pipe": pipe,
        "pipe_names": [each.name for each in parts.project.pipes],
        "held": [held_document(parts, each, contracts) for each in held[:HELD_MAX]],
        "held_count": len(held),
        "failed": [
            each
            for each in failed
            if each["pipe_name"] in names and _is_about_columns(each)
        ],
        "pipes": [
            _pipe_document(each, contracts, changes, headers.get(each.name))
            | {"waits": each.name in waiting}
            for each in chosen
        ],
        "evolution": [plain(vars(each)) for each in changes[:limit]],
        "evolution_count": len(changes),
    }


def _is_about_columns(failed: Document) -> bool:
    told = failed["first_error_message"] or ""
    return any(each in told for each in ABOUT_COLUMNS)


def _newest_headers(session: Session) -> dict[str, tuple[int, str, str | None]]:
    """Return of each pipe its newest load that has rows: number, file, header."""
    newest: dict[str, int] = dict(
        session.rows(
            "select pipe_name, max(load_seq) from snowmelt.load_history "
            "where row_count > 0 and replay_of is null group by pipe_name"
        )
    )
    if not newest:
        return {}
    rows = session.rows(
        "select pipe_name, load_seq, file_name, header from snowmelt.load_history "
        "where load_seq between $2 and $3 "
        "and load_seq in (select unnest($1::json::bigint[]))",
        [list(newest.values()), min(newest.values()), max(newest.values())],
    )
    return {name: (load_seq, file, header) for name, load_seq, file, header in rows}


def _pipe_document(
    pipe: Pipe,
    contracts: Contracts,
    changes: list[Evolution],
    newest: tuple[int, str, str | None] | None,
) -> Document:
    """Return a pipe's policy, how often it evolved, and its newest file's columns."""
    contract = contracts.of(pipe.name) or pipe.contract
    own = [each for each in changes if each.pipe_name == pipe.name]
    load_seq, file_name, header = newest or (None, None, None)
    policy = str(pipe.schema_evolution)
    return {
        "pipe_name": pipe.name,
        "table_name": pipe.full_table_name,
        "policy": policy,
        "does": POLICIES[policy],
        "columns": len(contract.columns),
        "changes": len(own),
        "changed_at": plain(own[0].triggering_time) if own else None,
        "newest_load": load_seq,
        "newest_file": file_name,
        **_differences(header, contract),
    }


def _differences(header: str | None, contract: Contract) -> dict[str, Any]:
    """Return what the newest file has and the contract has not, and the reverse.

    Formats without a header say nothing: None.
    """
    names = RawForm.read(header).header if header else ()
    if not names:
        return {"unnamed": None, "absent": None}
    found = compare([FileColumn(name) for name in names], contract)
    here = {name.strip().lower() for name in names}
    optional = [
        column.name
        for column in contract.columns
        if column.optional and column.path is None and not column.name.startswith("_")
    ]
    absent = [*found.missing, *(name for name in optional if name not in here)]
    return {
        "unnamed": [each.name for each in found.new[:COLUMNS_NAMED]],
        "absent": absent[:COLUMNS_NAMED],
    }
