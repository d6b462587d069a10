"""What of a table changed since it was published, written out to be sent.

Beside each publication lies what was published: of each row its key and a hash, in a
file named by the digest of the whole. The target says which digest it has, so that a
file fits or is not there, whatever was killed when. Without one the whole is sent.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from snowmelt.serve.publish.described import GoldTable
from snowmelt.serve.publish.types import as_text
from snowmelt.warehouse.port import Session
from snowmelt.warehouse.sql import identifier, literal

_TEXT = r"(format csv, header false, delimiter '\t', quote '', escape '', nullstr '\N')"
_MANY = 0.5
"""If more of a table than this changed, the whole is sent: it takes less."""


@dataclass(frozen=True)
class Written:
    """Files in the text format of COPY; `gone`: keys of rows to be removed first.

    Without `gone` the rows are all there are.
    """

    rows: Path
    row_count: int
    gone: Path | None = None
    gone_count: int = 0


@dataclass(frozen=True)
class Prepared:
    """A table ready to be sent. `written`: None when the target has these very rows.

    `has_key`: does its key tell all rows apart? `total`: how many rows there are.
    """

    table: GoldTable
    digest: str
    total: int
    has_key: bool
    written: Written | None


@dataclass(frozen=True)
class Desk:
    """Where files are written: `kept` of what was published, `spool` for now."""

    kept: Path
    spool: Path

    def keys_of(self, table: GoldTable, digest: str) -> Path:
        """Return the file of keys and hashes of one state of a table."""
        return self.kept / f"{table.full_name}-{digest}.parquet"

    def forget_others(self, table: GoldTable, digest: str) -> None:
        """Remove what is kept of other states of a table."""
        stays = self.keys_of(table, digest)
        for path in self.kept.glob(f"{_plain(table.full_name)}-*.parquet"):
            if path != stays:
                path.unlink(missing_ok=True)


def prepare(
    session: Session, table: GoldTable, desk: Desk, has: str | None, *, whole: bool
) -> Prepared:
    """Write out what a target lacks that has the state of digest `has`, or none.

    `session` is a snapshot. `whole`: send everything whatever the target has.
    """
    total, digest = digest_of(session, table)
    keys = desk.keys_of(table, digest)
    has_key = _write_keys(session, table, keys)
    if digest == has and not whole:
        return Prepared(table, digest, total, has_key, None)
    known = desk.keys_of(table, has) if has else None
    written = None
    if has_key and known and known.is_file() and not whole:
        written = _changed(session, table, (known, keys), desk)
    if written is None or written.row_count + written.gone_count > _MANY * total:
        written = _whole(session, table, desk)
    return Prepared(table, digest, total, has_key, written)


def digest_of(session: Session, table: GoldTable) -> tuple[int, str]:
    """Return how many rows a table has, and what tells this state of it from others.

    Rows in another order are the same state.
    """
    total, summed = session.rows(
        f"select count(*), sum({_hash(table)}) from {table.relation}"
    )[0]
    version = session.value("select library_version from pragma_version()")
    written = repr((version, [(each.name, each.type) for each in table.columns]))
    shape = hashlib.sha256(written.encode()).hexdigest()[:8]
    return int(total), f"{total}-{summed or 0}-{shape}"


def _hash(table: GoldTable) -> str:
    return f"hash({', '.join(identifier(each.name) for each in table.columns)})"


def _write_keys(session: Session, table: GoldTable, path: Path) -> bool:
    """Write the file of keys; return whether they tell the rows apart."""
    if not table.key:
        return False
    names = ", ".join(f"k{place}" for place in range(len(table.key)))
    if not path.is_file():
        chosen = ", ".join(f"{e} as k{p}" for p, e in enumerate(_key_texts(table)))
        arriving = path.with_name(f"arriving-{path.name}")
        session.execute(
            f"copy (select {chosen}, {_hash(table)} as h from {table.relation}) "
            f"to {literal(str(arriving))} (format parquet)"
        )
        arriving.replace(path)
    is_null = " or ".join(f"k{place} is null" for place in range(len(table.key)))
    count, distinct, nulls = session.rows(
        f"select count(*), count(distinct ({names})), "
        f"count(*) filter ({is_null}) from {_file(path)}"
    )[0]
    return bool(count == distinct and not nulls)


def _key_texts(table: GoldTable) -> list[str]:
    columns = [table.column(name) for name in table.key]
    return [as_text(column.name, column.type) for column in columns if column]


def _changed(
    session: Session, table: GoldTable, states: tuple[Path, Path], desk: Desk
) -> Written:
    """Write rows that are new or other than before, and the keys of those gone."""
    before, now = map(_file, states)
    places = range(len(table.key))
    same = " and ".join(f"n.k{p} = o.k{p}" for p in places)
    key = ", ".join(f"k{p}" for p in places)
    texts = ", ".join(_key_texts(table))
    rows = desk.spool / f"{table.full_name}.rows"
    gone = rows.with_suffix(".gone")
    changed = (
        f"select {_of('n', places)} from {now} as n "
        f"left join {before} as o on {same} where o.h is null or o.h <> n.h"
    )
    row_count = session.value(
        f"copy (select {_columns(table)} from {table.relation} "
        f"where ({texts}) in (select ({key}) from ({changed}))) "
        f"to {literal(str(rows))} {_TEXT}"
    )
    gone_count = session.value(
        f"copy (select {_of('o', places)} from {before} as o "
        f"left join {now} as n on {same} where n.h is null or n.h <> o.h) "
        f"to {literal(str(gone))} {_TEXT}"
    )
    return Written(rows, int(row_count), gone, int(gone_count))


def _whole(session: Session, table: GoldTable, desk: Desk) -> Written:
    rows = desk.spool / f"{table.full_name}.rows"
    count = session.value(
        f"copy (select {_columns(table)} from {table.relation}) "
        f"to {literal(str(rows))} {_TEXT}"
    )
    return Written(rows, int(count))


def _columns(table: GoldTable) -> str:
    return ", ".join(as_text(each.name, each.type) for each in table.columns)


def _of(side: str, places: range) -> str:
    return ", ".join(f"{side}.k{p}" for p in places)


def _file(path: Path) -> str:
    return f"read_parquet({literal(_plain(str(path)))})"


def _plain(path: str) -> str:
    """Return a path whose marks are no pattern."""
    return path.replace("[", "[[]").replace("*", "[*]").replace("?", "[?]")


def is_unique(session: Session, table: GoldTable, column: str) -> bool:
    """Does a column tell the rows of a table apart, nulls left out?"""
    name = identifier(column)
    twice = session.value(
        f"select count({name}) - count(distinct {name}) from {table.relation}"
    )
    return not twice


def holds(
    session: Session, child: GoldTable, column: str, parent: GoldTable, field: str
) -> bool:
    """Is every value of a column one of another table's, in this snapshot?"""
    own, other = identifier(column), identifier(field)
    lost = session.value(
        f"select count(*) from {child.relation} as c where c.{own} is not null "
        f"and not exists (from {parent.relation} as p where p.{other} = c.{own})"
    )
    return not lost
