"""From a temporary table into bronze, with every row's origin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from snowmelt.bronze.content import Content
from snowmelt.bronze.deadline import Deadline
from snowmelt.bronze.fileread import FileRead, ordinal_of
from snowmelt.bronze.table import LOAD_COLUMNS, all_rows
from snowmelt.errors import EngineError, RereadError
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.history import LoadRecord
from snowmelt.warehouse.port import Session

_BUCKET_BITS = 10
_ONE_BUCKET_BITS = 62
_FEW_STEPS = 4
_TREE_STEPS_MAX = 4096
_VIEWED_SECONDS = 5.0
_VIEWED_BYTES_A_SECOND = 10e6


@dataclass(frozen=True)
class Step:
    """From this rowid on: the load a row belongs to, and its ordinal in the file.

    The ordinal is `rowid + shift`. No load: the rows are not wanted.
    """

    from_rowid: int
    shift: int
    load: LoadRecord | None


@dataclass
class Rows:
    """What is wanted of one temporary table.

    The last step has no load: it says where the wanted rows end. `in_odd_groups`: see
    `FileRead`.
    """

    table: str
    in_odd_groups: bool = False
    steps: list[Step] = field(default_factory=list)
    refused_rowids: list[int] = field(default_factory=list)
    viewed: Content | None = None
    """The file that the table is a view of, if it is one."""


def steps_of(record: LoadRecord, read: FileRead) -> list[Step]:
    """Return where in the temporary table this file's records change their ordinal."""
    first, end = read.first_rowid, read.first_rowid + read.row_span
    steps = [Step(first, 1 - first, record)]
    for index, ordinal in enumerate(read.engine_rejects):
        rank = ordinal - (index + 1)
        if rank < read.row_span:
            shift = ordinal_of(rank, read.engine_rejects) - (first + rank)
            steps.append(Step(first + rank, shift, record))
    return [*{step.from_rowid: step for step in steps}.values(), Step(end, 0, None)]


def append_rows(session: Session, pipe: Pipe, rows: Rows, now: datetime) -> None:
    """Append the wanted rows of a temporary table to the pipe's bronze table.

    Raises RereadError when they are read from a file only now, and it cannot be read
    as it was, or not within a time that other loads can wait.
    """
    if rows.viewed is None:
        _append(session, pipe, rows, now)
        return
    size = rows.viewed.state.size
    limit = timedelta(seconds=_VIEWED_SECONDS + size / _VIEWED_BYTES_A_SECOND)
    try:
        _require_same(rows.viewed)
        with Deadline(limit, session.interrupt):
            appended = _append(session, pipe, rows, now)
        _require_same(rows.viewed)
    except EngineError:
        raise
    except Exception as error:  # the driver's; which one depends on the backend
        raise RereadError(rows.viewed.state.name, str(error)) from error
    wanted = rows.steps[-1].from_rowid - len(rows.refused_rowids)
    if appended != wanted:
        problem = f"{appended} records were read, not {wanted}"
        raise RereadError(rows.viewed.state.name, problem)


def _require_same(content: Content) -> None:
    with content.opened():
        return


def _append(session: Session, pipe: Pipe, rows: Rows, now: datetime) -> int:
    """Append rows and return how many they were."""
    columns = [f'"{column.name}"' for column in pipe.contract.columns]
    into = ", ".join([*columns, *LOAD_COLUMNS])
    chosen = ", ".join(f"row.{column}" for column in columns)
    origin, source, parameters = _find_origin(session, rows)
    where = ""
    if rows.refused_rowids:
        refused = f"{rows.table}_refused"
        session.execute(f"create temp table {refused} (refused_rowid bigint)")
        session.insert(refused, {"refused_rowid": rows.refused_rowids})
        where = f"where row.rowid not in (select refused_rowid from {refused})"
    appended = session.value(
        f"insert into {all_rows(pipe)} ({into}) "
        f"select {chosen}, {origin} from {source} {where}",
        [now, *parameters],
    )
    return int(appended)


def _find_origin(session: Session, rows: Rows) -> tuple[str, str, list[object]]:
    """Return how a row's origin is written, where rows come from, and parameters.

    The first parameter, the time of the load, is the caller's.

    The rows of one file need only their shift, looked up in a tree of comparisons;
    those of many, or with very many rejects, are joined with their spans. So are rows
    that lie in groups of odd sizes: behind a join the engine makes full ones.
    """
    table, ordered = rows.table, _order(rows.steps)
    loads = {step.load.load_seq: step.load for step in ordered if step.load}
    whole = ordered[0].from_rowid == 0 and not any(s.load is None for s in ordered[:-1])
    simple = len(loads) == 1 and whole and len(ordered) <= _TREE_STEPS_MAX
    if simple and not rows.in_odd_groups:
        (load,) = loads.values()
        shift, end = _tree(ordered[:-1]), ordered[-1].from_rowid
        rowid = "" if rows.viewed else ", rowid"  # of a view it is a column
        return (
            f"$2, row.rowid + {shift}, $3, $4, $1, $5",
            f"(select *{rowid} from {table} where rowid < {end}) as row",
            [load.file_name, load.load_seq, load.version_at, load.replay_of],
        )
    bits = _BUCKET_BITS if len(ordered) > _FEW_STEPS else _ONE_BUCKET_BITS
    _write_spans(session, table, ordered, bits)
    return (
        "span.file_name, row.rowid + span.shift, span.load_seq, span.version_at, $1, "
        "span.replay_of",
        f"{table} as row join {table}_spans as span "
        f"on row.rowid >> {bits} = span.bucket "
        f"and row.rowid >= span.from_rowid and row.rowid < span.to_rowid",
        [],
    )


def _order(steps: Sequence[Step]) -> list[Step]:
    """Return one step a rowid; where a file ends and the next begins, the next."""
    by_rowid: dict[int, Step] = {}
    for step in steps:
        if step.load or step.from_rowid not in by_rowid:
            by_rowid[step.from_rowid] = step
    return [by_rowid[rowid] for rowid in sorted(by_rowid)]


def _tree(steps: Sequence[Step]) -> str:
    """Return an expression that finds a row's shift by halving the steps."""
    if len(steps) == 1:
        return str(steps[0].shift)
    middle = len(steps) // 2
    return (
        f"case when row.rowid < {steps[middle].from_rowid} "
        f"then {_tree(steps[:middle])} else {_tree(steps[middle:])} end"
    )


def _write_spans(
    session: Session, table: str, ordered: Sequence[Step], bits: int
) -> None:
    """Write the wanted steps as spans, cut where rowids enter another bucket.

    By its bucket a row finds its span with a hash join, at half the cost of an asof
    join.
    """
    session.execute(
        f"create temp table {table}_steps (from_rowid bigint, shift bigint, "
        "file_name varchar, load_seq bigint, version_at timestamptz, replay_of bigint)"
    )
    session.insert(
        f"{table}_steps",
        {
            "from_rowid": [step.from_rowid for step in ordered],
            "shift": [step.shift for step in ordered],
            "file_name": [step.load and step.load.file_name for step in ordered],
            "load_seq": [step.load and step.load.load_seq for step in ordered],
            "version_at": [step.load and step.load.version_at for step in ordered],
            "replay_of": [step.load and step.load.replay_of for step in ordered],
        },
    )
    session.execute(
        f"create temp table {table}_spans as "
        f"select *, unnest(range(from_rowid >> {bits}, "
        f"((to_rowid - 1) >> {bits}) + 1)) as bucket "
        "from (select *, lead(from_rowid) over (order by from_rowid) as to_rowid "
        f"from {table}_steps) where load_seq is not null"
    )
