"""How the files of a batch fit their pipe's contract, and what follows from it.

Before a batch is read each file's columns are compared with the effective contract.
What is decided holds for the file alone: one waits or fails, another goes on. Columns
that files bring are in the contract that the whole batch is read by; they are added
to bronze in the commit of the first load that brings them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from snowmelt.bronze.columns import Asked, columns_of, few, values_of
from snowmelt.bronze.fileread import FileRead
from snowmelt.bronze.inspection import Inspection
from snowmelt.bronze.layout import match_header
from snowmelt.bronze.reading import Reading
from snowmelt.bronze.table import add_columns
from snowmelt.errors import FileError
from snowmelt.pipe.contract import Column
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.evolution import (
    Action,
    Decision,
    Difference,
    Retyped,
    SchemaEvolution,
    compare,
    decide,
    describe,
    why_no_column,
)
from snowmelt.pipe.evolved import (
    Evolution,
    EvolutionMode,
    EvolutionType,
    insert_evolutions,
    with_all_optional,
    with_columns,
)
from snowmelt.pipe.file_format import CsvFormat
from snowmelt.pipe.held import (
    PIPE_DIGEST,
    HeldFile,
    HeldReason,
    hold_file,
    released_drift,
)
from snowmelt.pipe.history import LoadRecord, LoadStatus
from snowmelt.pipe.widening import propose
from snowmelt.warehouse.port import Session
from snowmelt.warehouse.sql import identifier

_CAST = "CAST"


@dataclass
class Fitting:
    """What a batch is read by: `known` is the contract so far, `pipe` has it and more.

    `added` are the columns that each file brings, `held` the files that wait and how
    they differ, `again` those that have to be read in a batch of their own.
    """

    known: Pipe
    pipe: Pipe
    to_read: list[Inspection] = field(default_factory=list)
    to_look_at: list[Inspection] = field(default_factory=list)
    """Held files, to be read for what else is different about them."""
    added: dict[str, tuple[Column, ...]] = field(default_factory=dict)
    held: dict[str, Difference] = field(default_factory=dict)
    again: dict[str, str] = field(default_factory=dict)
    released: set[str] = field(default_factory=set)
    """Files that a person wants loaded as they are."""
    evolved: bool = False
    """Did the commit add columns to bronze?"""

    def hold_retyped(
        self, session: Session, reads: Iterable[FileRead], reading: Reading
    ) -> None:
        """Hold files of which no value of some column is of the contract's type.

        That shows when they are read: so those that are held are read too. The rows
        are in no load, so that nothing has to be taken back.
        """
        if self.pipe.schema_evolution is not SchemaEvolution.HOLD:
            return
        looked_at = reading.read(self.to_look_at) if self.to_look_at else []
        for read in (*reads, *looked_at):
            name = read.inspection.file.name
            if name in self.released:
                continue
            retyped = _find_retyped(session, read, self.known)
            before = self.held.get(name, Difference())
            found = {each.name: each for each in (*before.retyped, *retyped)}
            if found:
                self.held[name] = replace(before, retyped=tuple(found.values()))

    def why_held(
        self, inspection: Inspection, digest: str, now: datetime
    ) -> HeldFile | None:
        """Return how a file waits, if it does."""
        difference = self.held.get(inspection.file.name)
        if difference is None:
            return None
        detail = difference_detail(difference) | {PIPE_DIGEST: digest}
        reason = HeldReason.DRIFT
        return hold_file(inspection.file, self.pipe.name, reason, detail, now)

    def evolve(
        self, session: Session, loads: Sequence[LoadRecord], now: datetime
    ) -> Pipe:
        """Add to bronze the columns that loads bring, in the caller's transaction.

        Returns the pipe with the contract that bronze has then: what a failed file
        brings is not added.
        """
        fresh: dict[str, tuple[Column, LoadRecord]] = {}
        for load in loads:
            if load.status is not LoadStatus.LOAD_FAILED:
                for column in self.added.get(load.file_name, ()):
                    fresh.setdefault(column.name, (column, load))
        if not fresh:
            return self.known
        columns = [column for column, _ in fresh.values()]
        add_columns(session, self.known, columns)
        evolutions = [
            Evolution(
                pipe_name=load.pipe_name,
                table_name=load.table_name,
                column_name=column.name,
                column_type=column.type,
                evolution_type=EvolutionType.ADD_COLUMN,
                evolution_mode=EvolutionMode.COPY,
                file_name=load.file_name,
                triggering_time=now,
                query_id=str(load.load_seq),
                load_seq=load.load_seq,
            )
            for column, load in fresh.values()
        ]
        insert_evolutions(session, evolutions)
        self.evolved = True
        return with_columns(self.known, columns)


def fit(
    session: Session, known: Pipe, inspections: Sequence[Inspection], spool: Path
) -> Fitting:
    """Compare the files of a batch with their pipe, as its contract has evolved."""
    fitting = Fitting(known, known)
    if known.schema_evolution in (SchemaEvolution.NONE, SchemaEvolution.RESCUE):
        fitting.to_read = list(inspections)
        return fitting
    if known.schema_evolution is SchemaEvolution.HOLD:
        files = [inspection.file for inspection in inspections]
        fitting.released = released_drift(session, files)
    fresh: dict[str, Column] = {}
    for inspection in inspections:
        released = inspection.file.name in fitting.released
        if inspection.problem or inspection.file_format is None or released:
            fitting.to_read.append(inspection)
            continue
        difference, decision = judge_columns(session, inspection, known, spool)
        _follow(fitting, inspection, difference, decision, fresh)
    if fresh:
        fitting.pipe = with_columns(known, list(fresh.values()))
    elif fitting.to_look_at:
        fitting.pipe = with_all_optional(known)
    return fitting


def judge_columns(
    session: Session, inspection: Inspection, known: Pipe, spool: Path
) -> tuple[Difference, Decision]:
    """Compare one sound file with the contract, and decide what follows."""
    assert inspection.file_format is not None, "a sound file has a format"
    sampled = known.schema_evolution is SchemaEvolution.HOLD
    columns = columns_of(Asked(session, inspection, known, spool, sampled))
    if columns is None:
        return Difference(), Decision(Action.LOAD)
    difference = compare(columns, known.contract)
    decision = decide(known.schema_evolution, difference)
    misfit = _misfit(inspection, known)
    if misfit and decision.action is not Action.HOLD:
        decision = Decision(Action.FAIL, reason=misfit)
    return difference, decision


def _follow(
    fitting: Fitting,
    inspection: Inspection,
    difference: Difference,
    decision: Decision,
    fresh: dict[str, Column],
) -> None:
    """Do with one file what was decided."""
    name = inspection.file.name
    if decision.action is Action.HOLD:
        fitting.held[name] = difference
        if difference.matched:
            fitting.to_look_at.append(inspection)
        return
    if decision.action is Action.FAIL:
        inspection = replace(inspection, problem=decision.reason)
    for column in decision.columns:
        if fresh.get(column.name, column).type != column.type:
            fitting.again[name] = f"the batch has another type for '{column.name}'"
            return
    fresh.update({column.name: column for column in decision.columns})
    fitting.added[name] = decision.columns
    fitting.to_read.append(inspection)


def _misfit(inspection: Inspection, known: Pipe) -> str:
    """Say why a file's header cannot be matched at all, if it cannot."""
    if isinstance(inspection.file_format, CsvFormat):
        try:
            match_header(inspection.header, known.contract)
        except FileError as error:
            return error.problem
    return ""


def _find_retyped(session: Session, read: FileRead, known: Pipe) -> tuple[Retyped, ...]:
    """Return the columns of which every value that is there was refused."""
    refused: dict[str, list[bytes]] = {}
    for reject in read.rejects:
        for error in reject.errors:
            if error.category == _CAST and error.column_name:
                refused.setdefault(error.column_name, []).append(reject.raw)
    if read.problem or not refused:
        return ()
    return tuple(
        _retyped(read, column, refused[column.name])
        for column in known.contract.columns
        if column.name in refused and not _has_values(session, read, column)
    )


def _has_values(session: Session, read: FileRead, column: Column) -> bool:
    """Did any accepted record have a value in a column?"""
    return bool(
        session.value(
            f"select count({identifier(column.name)}) from {read.table} "
            "where rowid >= $1 and rowid < $2",
            [read.first_rowid, read.first_rowid + read.row_span],
        )
    )


def _retyped(read: FileRead, column: Column, raws: Sequence[bytes]) -> Retyped:
    values = values_of(read.inspection, raws, column.name)
    return Retyped(column.name, column.type, propose(column.type, values), few(values))


def difference_detail(difference: Difference) -> dict[str, Any]:
    """Return a difference as a document: what `drift` shows and `approve` follows."""
    return {
        "reason": describe(difference),
        "new": [
            {
                "column_name": each.name,
                "column_type": each.type or "varchar",
                "samples": list(each.samples),
            }
            for each in difference.new
        ],
        "missing": list(difference.missing),
        "retyped": [
            {
                "column_name": each.name,
                "column_type": each.type,
                "proposed_type": each.proposed,
                "samples": list(each.samples),
            }
            for each in difference.retyped
        ],
        "problem": _why_no_approval(difference),
    }


def _why_no_approval(difference: Difference) -> str:
    """Say why nobody can have the contract changed to fit a file, if so."""
    if not difference.matched:
        return "it has none of the contract's columns"
    return why_no_column(difference.new)
