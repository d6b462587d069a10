"""The vacuum: what was superseded leaves bronze, behind every offset, in small slices.

A row of a superseded load is needed by nobody but a model that has read the load and
not yet what replaced it: its stream owes it a DELETE. So a load's rows go once they are
older than `retention.superseded`, and no offset lies between the two. An offset that
has not moved for `retention.stale_after` holds nothing back: its stream is stale then,
and its model reads everything once. No run is under way meanwhile: offsets that a run
is about to commit are not seen from here.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from snowmelt.bronze.superseded import (
    SUPERSEDED,
    UNLISTED_REJECTS,
    Deleted,
    OldLoad,
    delete_loads,
    delete_rejects,
)
from snowmelt.bronze.table import show_files
from snowmelt.clock import Clock
from snowmelt.events import Events, Vacuumed
from snowmelt.gold.publication import Publication
from snowmelt.landing.config import parse_duration
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.evolved import effective_pipe
from snowmelt.transform.streams import forget_moved, mark_stale
from snowmelt.warehouse.port import Session, Warehouse

log = logging.getLogger("snowmelt")
FOREVER = timedelta.max
ROWS_MAX = 200_000
"""So many rows go in one slice, which nobody waits for longer than a moment."""
LOADS_MAX = 1_000


def _read_period(given: Any) -> Any:
    if isinstance(given, timedelta):
        return given
    if given == "forever":
        return FOREVER
    if given in (0, "0"):
        return timedelta(0)
    try:
        return parse_duration(given if isinstance(given, str) else "")
    except ValueError as error:
        raise ValueError(f"{error}; or 0, or forever") from None


Period = Annotated[timedelta, BeforeValidator(_read_period, str | int)]


def _period(default: str, description: str) -> Any:
    return Field(
        _read_period(default),
        description=description,
        json_schema_extra={"default": default},
    )


class RetentionConfig(BaseModel):
    """How long is kept what nobody counts any more: a time, `0`, or `forever`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    superseded: Period = _period(
        "30d",
        "Rows of superseded loads, and refused records that were replayed or are of "
        "such a load; they go behind every offset. Load history stays for ever.",
    )
    stale_after: Period = _period(
        "14d",
        "How long a stream that is not read holds superseded rows back, beyond their "
        "own time. Then it is stale, and its model reads everything once.",
    )


@dataclass(frozen=True)
class Due:
    """The instants before which things are too old."""

    superseded: datetime | None
    stale: datetime | None

    @classmethod
    def at(cls, now: datetime, config: RetentionConfig) -> Due:
        """Return what is due; None: nothing ever is."""
        superseded = earlier(now, config.superseded)
        stale = earlier(now, max(config.superseded, config.stale_after))
        return cls(superseded, stale)


def earlier(now: datetime, period: timedelta) -> datetime | None:
    """Return the instant a period ago; None where that is before all time."""
    first = datetime.min.replace(tzinfo=UTC) + timedelta(days=1)
    return now - period if now - first > period else None


# Each superseded load whose rows are there, with the consumers that hold it back.
_HELD = f"""
    select
        old.*,
        list(streams.consumer order by streams.consumer)
            filter (streams.consumer is not null) as held_by
    from ({SUPERSEDED}) as old
    left join snowmelt.stream_offsets as streams
        on streams.source = old.relation
        and streams.position >= old.load_seq
        and streams.position < old.superseded_by
    group by all
"""  # noqa: S608 - SQL of ours
_STATE = """
    case
        when superseded_at > $1 then 'kept'
        when held_by is null then 'due'
        when superseded_at <= $2 then 'stale'
        else 'held'
    end
"""
NEVER = datetime(1, 1, 2, tzinfo=UTC)


@dataclass
class Slice:
    """What one slice came to. `more`: there is more to do."""

    rows: int = 0
    rejects: int = 0
    loads: tuple[int, ...] = ()
    stale: tuple[str, ...] = ()
    more: bool = False


@dataclass
class Vacuum:
    """Deletes what is due, a slice at a time."""

    publication: Publication
    config: RetentionConfig
    pipes: Sequence[Pipe]
    clock: Clock
    events: Events
    rows_max: int = ROWS_MAX
    _unlinked: list[tuple[Pipe, str]] = field(default_factory=list)

    @property
    def warehouse(self) -> Warehouse:
        return self.publication.warehouse

    def step(self) -> Slice:
        """Carry out one slice, while no run is under way."""
        started_at = self.clock.now()
        due = Due.at(started_at, self.config)
        if due.superseded is None:
            return Slice()
        with self.publication.exclusively():
            done = self._slice(due, started_at)
        if done.rows or done.rejects or done.loads:
            self.events.emit(
                Vacuumed(
                    done.rows,
                    done.rejects,
                    len(done.loads),
                    done.stale,
                    started_at,
                    self.clock.now(),
                )
            )
        for consumer in done.stale:
            log.warning("the stream of %s is stale: it reads everything once", consumer)
        return done

    def _slice(self, due: Due, now: datetime) -> Slice:
        assert due.superseded is not None
        self._unlink()
        with self.warehouse.session() as session:
            rejects = self._rejects(session, due.superseded)
            loads, stale, more = _next_loads(session, due, self.rows_max)
            if not loads:
                return Slice(rejects=rejects, more=rejects >= self.rows_max)
            done = Slice(rejects=rejects, more=more)
            with self.warehouse.commit_lock, session.transaction():
                forget_moved(session)
                done.stale = mark_stale(session, stale, now)
                for of_table in _by_table(loads):
                    deleted = delete_loads(session, of_table, self.rows_max, now)
                    self._show(session, of_table[0], deleted)
                    done.rows += deleted.rows
                    done.loads += deleted.loads
                    done.more |= len(deleted.loads) < len(of_table)
        return done

    def _rejects(self, session: Session, before: datetime) -> int:
        with self.warehouse.commit_lock, session.transaction():
            return delete_rejects(session, before, self.rows_max)

    def _show(self, session: Session, load: OldLoad, deleted: Deleted) -> None:
        """Make the view of an external pipe anew; its links go in the next slice."""
        for pipe in self.pipes:
            if pipe.external and pipe.full_table_name == load.relation:
                show_files(session, effective_pipe(session, pipe))
                self._unlinked += [(pipe, name) for name in deleted.links]

    def _unlink(self) -> None:
        """Remove links that nobody who asks now is shown.

        What a process that ended left is removed when the project opens.
        """
        for pipe, name in self._unlinked:
            (pipe.external_folder / name).unlink(missing_ok=True)
        self._unlinked.clear()

    def close(self) -> None:
        """Remove what is left to be removed."""
        self._unlink()


def _next_loads(
    session: Session, due: Due, rows_max: int
) -> tuple[list[OldLoad], dict[int, list[str]], bool]:
    """Return the oldest loads that can go, so many rows of them, and which are held.

    Oldest first, of all tables: none of them waits for what is new in another one.
    Those that are held, are so by streams that are stale now. And whether there are
    more than these.
    """
    found = session.rows(
        f"select load_seq, schema_name, table_name, row_count, held_by "  # noqa: S608
        f"from ({_HELD}) where {_STATE} in ('due', 'stale') "
        f"order by load_seq limit {LOADS_MAX + 1}",
        [due.superseded, due.stale or NEVER],
    )
    chosen: list[OldLoad] = []
    stale, rows = {}, 0
    for *load, held_by in found[:LOADS_MAX]:
        each = OldLoad(*load)
        if chosen and rows + each.rows > rows_max:
            break
        chosen.append(each)
        rows += each.rows
        if held_by:
            stale[each.load_seq] = held_by
    return chosen, stale, len(found) > len(chosen)


def _by_table(loads: Sequence[OldLoad]) -> list[list[OldLoad]]:
    tables: dict[str, list[OldLoad]] = {}
    for load in loads:
        tables.setdefault(load.relation, []).append(load)
    return list(tables.values())


def survey(session: Session, due: Due) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Return what would go of each table and what holds the rest; rejects likewise."""
    at = [due.superseded or NEVER, due.stale or NEVER]
    found = session.rows(
        f"""
        select relation, {_STATE} as state, count(*) as loads,
            sum(row_count)::bigint as row_count,
            sum(file_bytes)::bigint as file_bytes, min(superseded_at) as oldest,
            list_sort(list_distinct(flatten(list(coalesce(held_by, []::varchar[])))))
        from ({_HELD}) group by all order by relation, state
        """,  # noqa: S608 - SQL of ours
        at,
    )
    names = (
        *("relation", "state", "loads", "row_count", "file_bytes", "oldest"),
        "held_by",
    )
    rejects = session.rows(
        f"select count(*) filter (unlisted_at < $1), "  # noqa: S608 - SQL of ours
        f"count(*) filter (unlisted_at >= $1) from ({UNLISTED_REJECTS})",
        at[:1],
    )[0]
    tables = [dict(zip(names, row, strict=True)) for row in found]
    return tables, {"due": rejects[0], "kept": rejects[1]}
