"""How contracts evolved: a record of each change, and the contract that follows.

The record's words are Snowflake's
(https://docs.snowflake.com/en/user-guide/data-load-schema-evolution). It is written
in the commit that changes the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum

from snowmelt.pipe.contract import Column, Contract
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.evolution import SchemaEvolution
from snowmelt.pipe.widening import widens
from snowmelt.warehouse.port import Row, Session

RESCUED = "_rescued"
"""The column of what a contract does not name: a JSON object, NULL for nothing."""


class EvolutionType(StrEnum):
    """What changed about a column."""

    ADD_COLUMN = "ADD_COLUMN"
    DROP_NOT_NULL = "DROP_NOT_NULL"
    WIDEN_TYPE = "WIDEN_TYPE"


class EvolutionMode(StrEnum):
    """Who wanted it: the copy of a file, or a person."""

    COPY = "COPY"
    APPROVED = "APPROVED"


@dataclass(frozen=True)
class Evolution:
    """One change of one column. No file: the pipe's own definition asked for it."""

    pipe_name: str
    table_name: str
    column_name: str
    column_type: str
    evolution_type: EvolutionType
    evolution_mode: EvolutionMode
    file_name: str | None
    triggering_time: datetime
    query_id: str | None = None
    load_seq: int | None = None


_COLUMNS = tuple(field.name for field in fields(Evolution))


def insert_evolutions(session: Session, evolutions: Sequence[Evolution]) -> None:
    """Append records; part of the caller's transaction."""
    _Recorded.evolutions = object()
    session.insert(
        "snowmelt.schema_evolution",
        {name: [getattr(each, name) for each in evolutions] for name in _COLUMNS},
    )


def evolutions_of(session: Session, pipe: Pipe) -> list[Evolution]:
    """Return what evolved of a pipe's table, oldest first."""
    rows = session.rows(
        f"select {', '.join(_COLUMNS)} from snowmelt.schema_evolution "  # noqa: S608
        "where pipe_name = $1 and table_name = $2 order by rowid",
        [pipe.name, pipe.table_name],
    )
    return [_read(row) for row in rows]


def all_evolutions(session: Session) -> dict[str, list[Evolution]]:
    """Return what evolved of every table, oldest first, by its name."""
    rows = session.rows(
        f"select {', '.join(_COLUMNS)} from snowmelt.schema_evolution "  # noqa: S608
        "order by rowid"
    )
    found: dict[str, list[Evolution]] = {}
    for each in map(_read, rows):
        found.setdefault(each.table_name, []).append(each)
    return found


def _read(row: Row) -> Evolution:
    pipe, table, column, type_name, kind, mode, *origin = row
    return Evolution(
        pipe,
        table,
        column,
        type_name,
        EvolutionType(kind),
        EvolutionMode(mode),
        *origin,
    )


def record_widened(
    session: Session, pipe: Pipe, widened: Sequence[Column], now: datetime
) -> None:
    """Record columns that got a wider type because the pipe's file names one.

    A person wrote it there: that is an approval, of no file.
    """
    evolutions = [
        Evolution(
            pipe_name=pipe.name,
            table_name=pipe.table_name,
            column_name=column.name,
            column_type=column.type,
            evolution_type=EvolutionType.WIDEN_TYPE,
            evolution_mode=EvolutionMode.APPROVED,
            file_name=None,
            triggering_time=now,
        )
        for column in widened
    ]
    insert_evolutions(session, evolutions)


def effective_pipe(session: Session, pipe: Pipe) -> Pipe:
    """Return a pipe with the contract that its files are read by."""
    return evolve_pipe(pipe, evolutions_of(session, pipe))


class _Recorded:
    """What was recorded last by this process; another one cannot meanwhile."""

    evolutions = object()


class EffectivePipes:
    """Pipes as they evolved, read anew once more has been recorded.

    Ask while the pipe is locked: what is recorded of it is committed then.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[object, Pipe, Pipe]] = {}

    def of(self, session: Session, pipe: Pipe) -> Pipe:
        """Return a pipe with the contract that its files are read by."""
        recorded = _Recorded.evolutions
        known = self._known.get(pipe.name)
        if known is not None and known[0] is recorded and known[1] is pipe:
            return known[2]
        effective = effective_pipe(session, pipe)
        self._known[pipe.name] = recorded, pipe, effective
        return effective


def evolve_pipe(pipe: Pipe, evolutions: Sequence[Evolution]) -> Pipe:
    """Return a pipe with its contract as it evolved; a table of cases tests this.

    What the pipe's file says of a column comes first: an added column counts until
    it is named there. A type that was approved holds while it is wider than the
    type there; a column approved as optional stays optional.
    """
    columns = {column.name: column for column in pipe.contract.columns}
    named = frozenset(columns)
    for each in evolutions:
        name = each.column_name
        if each.evolution_type is EvolutionType.ADD_COLUMN:
            added = Column(name=name, type=each.column_type, optional=True)
            columns.setdefault(name, added)
        elif name in columns and each.file_name is not None:
            columns[name] = _change(columns[name], each)
    if pipe.schema_evolution is SchemaEvolution.RESCUE:
        columns[RESCUED] = Column.model_construct(
            name=RESCUED, type="json", path=None, nullable=True, optional=True
        )
    if columns.keys() == named and list(columns.values()) == pipe.contract.columns:
        return pipe
    contract = Contract.model_construct(columns=list(columns.values()))
    return pipe.model_copy(update={"contract": contract})


def _change(column: Column, evolution: Evolution) -> Column:
    if evolution.evolution_type is EvolutionType.DROP_NOT_NULL:
        return column.model_copy(update={"optional": True, "nullable": True})
    if widens(column.type, evolution.column_type):
        return column.model_copy(update={"type": evolution.column_type})
    return column


def with_columns(pipe: Pipe, added: Sequence[Column]) -> Pipe:
    """Return a pipe whose contract has more columns, before those of our own."""
    columns = [c for c in pipe.contract.columns if c.name != RESCUED]
    own = [c for c in pipe.contract.columns if c.name == RESCUED]
    contract = Contract.model_construct(columns=[*columns, *added, *own])
    return pipe.model_copy(update={"contract": contract})


def with_all_optional(pipe: Pipe) -> Pipe:
    """Return a pipe that reads files whatever columns they lack."""
    columns = [c.model_copy(update={"optional": True}) for c in pipe.contract.columns]
    contract = Contract.model_construct(columns=columns)
    return pipe.model_copy(update={"contract": contract})
