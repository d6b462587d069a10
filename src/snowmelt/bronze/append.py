"""From a temporary table into bronze, with every row's origin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from snowmelt.bronze.table import LOAD_COLUMNS, all_rows
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.history import LoadRecord
from snowmelt.warehouse.port import Session


@dataclass(frozen=True)
class Step:
    """From this rowid on: the load a row belongs to, and its ordinal in the file.

    The ordinal is `rowid + shift`. No load: the rows are not wanted.
    """

    from_rowid: int
    shift: int
    load: LoadRecord | None


def append_rows(
    session: Session,
    pipe: Pipe,
    table: str,
    steps: Sequence[Step],
    refused_rowids: Sequence[int],
    now: datetime,
) -> None:
    """Append the wanted rows of a temporary table to the pipe's bronze table."""
    columns = [f'"{column.name}"' for column in pipe.contract.columns]
    into = ", ".join([*columns, *LOAD_COLUMNS])
    chosen = ", ".join(f"row.{column}" for column in columns)
    wanted = [step for step in steps if step.load]
    refused = ""
    if refused_rowids:
        session.execute(f"create temp table {table}_refused (refused_rowid bigint)")
        session.insert(f"{table}_refused", {"refused_rowid": list(refused_rowids)})
        refused = f"row.rowid not in (select refused_rowid from {table}_refused)"
    if len(wanted) == 1 and wanted[0].from_rowid == 0 and len(steps) == 2:
        load, end = wanted[0].load, steps[-1].from_rowid
        assert load is not None
        session.execute(
            f"insert into {all_rows(pipe)} ({into}) "
            f"select {chosen}, $1, row.rowid + $2, $3, $4, $5 from {table} as row "
            f"where row.rowid < {end}{' and ' + refused if refused else ''}",
            [load.file_name, wanted[0].shift, load.load_seq, load.version_at, now],
        )
        return
    _write_steps(session, table, steps)
    session.execute(
        f"insert into {all_rows(pipe)} ({into}) "
        f"select {chosen}, step.file_name, row.rowid + step.shift, step.load_seq, "
        f"step.version_at, $1 "
        f"from {table} as row asof join {table}_steps as step "
        f"on row.rowid >= step.from_rowid "
        f"where step.load_seq is not null{' and ' + refused if refused else ''}",
        [now],
    )


def _write_steps(session: Session, table: str, steps: Sequence[Step]) -> None:
    """Write the steps; where a file ends and the next begins, the next wins."""
    by_rowid: dict[int, Step] = {}
    for step in steps:
        if step.load or step.from_rowid not in by_rowid:
            by_rowid[step.from_rowid] = step
    ordered = list(by_rowid.values())
    session.execute(
        f"create temp table {table}_steps (from_rowid bigint, shift bigint, "
        "file_name varchar, load_seq bigint, version_at timestamptz)"
    )
    session.insert(
        f"{table}_steps",
        {
            "from_rowid": [step.from_rowid for step in ordered],
            "shift": [step.shift for step in ordered],
            "file_name": [step.load and step.load.file_name for step in ordered],
            "load_seq": [step.load and step.load.load_seq for step in ordered],
            "version_at": [step.load and step.load.version_at for step in ordered],
        },
    )
