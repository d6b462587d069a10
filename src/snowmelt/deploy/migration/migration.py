"""The move of a project's rows: what it comes to, piece by piece, and the proof.

First load history is shipped, then bronze: a pipe that looks for what it missed asks
history, so that a file whose rows are yet to come is not copied in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from snowmelt.deploy.migration.destination import Destination
from snowmelt.deploy.migration.digest import Digest, Typed
from snowmelt.deploy.migration.local import Local, Wish
from snowmelt.deploy.migration.parcel import Parcel, Shipped
from snowmelt.deploy.migration.proof import ALTERED, OfValues, Proof
from snowmelt.deploy.migration.shelf import PLACE, Shelf
from snowmelt.deploy.migration.source import (
    HISTORY,
    HISTORY_COLUMNS,
    LOADED_COLUMNS,
    ROWS_MAX,
    Piece,
    live_columns,
)
from snowmelt.deploy.migration.staged import json_of
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.bronze import snowflake_type
from snowmelt.errors import ConfigError, SnowmeltError
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.evolution import SchemaEvolution

NAMED_MAX = 10
Progress = Callable[[str, int, int], None]
"""Told of a table how many pieces arrived, of how many."""


@dataclass(frozen=True)
class Moved:
    """One table, as it is here and there."""

    name: str
    """The pipe; `load_history` for load history."""
    table: str
    columns: tuple[Typed, ...]
    wish: Wish
    pieces: tuple[Piece, ...]
    shipped: Shipped
    view: str = ""
    live: tuple[Typed, ...] = ()
    rows: int = 0
    source_bytes: int = 0
    remarks: tuple[str, ...] = ()
    added: tuple[Typed, ...] = ()
    """Columns that files brought here, and that it lacks there."""
    withdrawn: tuple[str, ...] = ()
    """Content keys that were shipped, and whose rows do not count any more."""

    @property
    def rows_to_come(self) -> int:
        return sum(piece.rows for piece in self.pieces)

    @property
    def document(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "table": self.table,
            "rows_here": self.rows,
            "rows_there": self.shipped.digest.rows,
            "rows_to_ship": self.rows_to_come,
            "pieces": len(self.pieces),
            "source_bytes": self.source_bytes,
            "adds_columns": [each.name for each in self.added],
            "remarks": list(self.remarks),
        }


@dataclass(frozen=True)
class Manner:
    """How it is done. `rows_max`: about how many rows a file has.

    `keeps_copied`: rows that pipes copied of files that are here stay, and these files
    are not shipped.
    """

    rows_max: int = ROWS_MAX
    keeps_copied: bool = False


AS_USUAL = Manner()


@dataclass(frozen=True)
class Migration:
    """A project's move to a target."""

    pipes: Sequence[Pipe]
    local: Local
    there: Destination
    shelf: Shelf
    folder: str
    """Where files arrive in the bucket: `raw/`."""
    schema: str
    """Bronze's schema there: `SHOP.BRONZE`."""
    readers: tuple[str, ...] = ()
    """Roles that are shown what is masked for others, if anything is."""
    manner: Manner = AS_USUAL

    def waiting(self) -> int:
        """Return how many files wait to be loaded here: they are not shipped."""
        return len(self.local.status()["pending"])

    def plan(self) -> list[Moved]:
        """Look at both sides; change nothing. Raises SnowmeltError with the way out."""
        try:
            shipped = self.there.shipped()
        except SnowmeltError as error:
            error.remedy = error.remedy or "Deploy first: snowmelt deploy apply"
            raise
        if self.readers:
            self.there.require_seeing(self.readers)
        return [
            self._history(shipped),
            *(self._bronze(pipe, shipped) for pipe in self.pipes),
        ]

    def _history(self, shipped: Mapping[str, Shipped]) -> Moved:
        known = shipped.get(self.there.loads, Shipped())
        wish = Wish("", self.folder, rows_max=self.manner.rows_max, after=known.after)
        told = self.local.moving_pieces(wish.document)
        pieces = tuple(Piece.read(each) for each in told["pieces"])
        rows = known.digest.rows + sum(each.rows for each in pieces)
        table = self.there.loads
        return Moved(HISTORY, table, HISTORY_COLUMNS, wish, pieces, known, rows=rows)

    def _bronze(self, pipe: Pipe, shipped: Mapping[str, Shipped]) -> Moved:
        table = f"{self.schema}.{sql.name(pipe.table_name + '__all')}"
        known = shipped.get(table, Shipped())
        columns = self.there.columns(table)
        copied = [each.removeprefix(self.folder) for each in self.there.copied(table)]
        wish = Wish(
            pipe.name,
            self.folder,
            without=tuple(copied),
            rows_max=self.manner.rows_max,
            after=known.after,
        )
        here = self.local.moving_pieces(wish.document)["columns"]
        fitting = _Fitting(pipe, table, here, columns)
        fitting.require()
        wish = replace(wish, columns=fitting.shipped)
        told = self.local.moving_pieces(wish.document)
        both = tuple(told["both"])
        if both and not self.manner.keeps_copied:
            raise _copied(table, both)
        remarks = list(fitting.remarks)
        if both:
            remarks.append(
                f"rows of {len(both):,} files stay as pipes copied them there"
            )
        gone = self.there.keys_of(table, told["withdrawn"])
        if gone:
            remarks.append(
                f"{_count(len(gone), 'load')} that went no longer count: their "
                "rows are removed, and models built of them need --full-refresh"
            )
        pieces = tuple(Piece.read(each) for each in told["pieces"])
        rows, to_come = int(told["rows"]), sum(each.rows for each in pieces)
        left = rows - to_come - known.digest.rows
        if left > 0:
            remarks.append(f"{left:,} rows that do not count any more stay here")
        own = tuple(Typed(sql.name(n), here[n]) for n in fitting.shipped)
        return Moved(
            pipe.name,
            table,
            (*own, *LOADED_COLUMNS),
            replace(wish, without=both),
            pieces,
            known,
            view=f"{self.schema}.{sql.name(pipe.table_name)}",
            live=live_columns(pipe, fitting.of_contract),
            rows=rows,
            source_bytes=int(told["source_bytes"]),
            remarks=tuple(remarks),
            added=fitting.added,
            withdrawn=tuple(gone),
        )

    def ship(self, moved: Sequence[Moved], progress: Progress) -> None:
        """Ship what has not arrived. May be stopped anywhere, and begun again."""
        for each in moved:
            for column in each.added:
                self.there.add_column(each.table, column)
            # before what superseded them is there: then nobody would look for them
            self.there.withdraw(each.table, each.columns, each.withdrawn)
            there = set(self.shelf.names(each.name)) if each.pieces else set()
            for number, piece in enumerate(each.pieces, start=1):
                self._ship(each, piece, there)
                progress(each.name, number, len(each.pieces))

    def _ship(self, moved: Moved, piece: Piece, there: set[str]) -> None:
        wish = replace(moved.wish, piece=piece.document, there=tuple(sorted(there)))
        told = self.local.moving_piece(wish.document)
        digest, texts = _digest(told), told["texts"]
        if told["path"] is not None:
            path = Path(told["path"])
            try:
                self.shelf.put(moved.name, told["name"], path)
            finally:
                path.unlink(missing_ok=True)
        below = self.shelf.below_stage(moved.name, told["name"])
        left = _digest(texts) if texts else None
        parcel = Parcel(moved.table, moved.columns, below, piece, digest, left)
        self.there.receive(parcel)

    def prove(self, moved: Sequence[Moved]) -> Iterator[Proof]:
        """Compare both sides, table by table."""
        shipped = self.there.shipped()
        for each in moved:
            known = shipped.get(each.table, Shipped())
            arrived = self.there.arrived(each.table, each.columns)
            values = self._of_values(each, known, arrived)
            proof = Proof(each.name, each.table, (known.digest, arrived), values=values)
            remedy = "" if values is None else values.remedy
            if known.digest != arrived:
                remedy = ALTERED
            if remedy:
                remedy = f"{remedy} {self.there.anew(each.table)}"
                proof = replace(proof, remedy=remedy)
            yield self._with_live(each, proof) if each.view else proof

    def _of_values(
        self, moved: Moved, known: Shipped, arrived: Digest
    ) -> OfValues | None:
        """Compare values of JSON: texts of them, and if these differ, row by row.

        `arrived` is the digest of rows that were shipped: are others there, nothing is
        said of those that are not.
        """
        columns = tuple(_plain(each.name) for each in json_of(moved.columns))
        if not columns:
            return None
        there = self.there.arrived_values(moved.table, moved.columns)
        proof = OfValues(columns, (known.values, there), known.digest == arrived)
        if proof.is_alike:
            return proof
        place = self.shelf.below_stage(moved.name, "")
        others = self.there.other_values(moved.table, moved.columns, place)
        proof = replace(proof, others=tuple(others))
        if proof.is_alike:
            self.there.record_compared(moved.table, known.values, there)
        return proof

    def _with_live(self, moved: Moved, proof: Proof) -> Proof:
        names = tuple(_plain(each.name) for each in moved.live[:-2])
        wish = replace(moved.wish, columns=names)
        told = self.local.moving_digest(wish.document, False)
        here = _digest(told)
        there = self.there.live(moved.view, moved.live)
        proof = replace(proof, live=(here, there))
        if here == there:
            return proof
        files = self.local.moving_digest(wish.document, True)["files"]
        ours = {name: _digest(each) for name, each in files.items()}
        theirs = self.there.live_by_file(moved.view, moved.live)
        differing = sorted(name for name in ours if ours[name] != theirs.get(name))
        proof = replace(
            proof,
            differing=tuple(differing[:NAMED_MAX]),
            only_there=len(theirs.keys() - ours.keys()),
        )
        if not differing:
            return proof
        return replace(
            proof,
            remedy=f"Other rows of {_count(len(differing), 'file')} are there. Was one "
            "loaded here meanwhile, migrate again. Was one sent again there, its newer "
            "version counts, as it should. Else somebody changed it. "
            + self.there.anew(moved.table),
        )


def _digest(told: Mapping[str, Any]) -> Digest:
    return Digest(told["rows"], told["low"], told["high"])


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _plain(name: str) -> str:
    return name.strip('"').lower()


def _copied(table: str, both: Sequence[str]) -> SnowmeltError:
    named = ", ".join(both[:3]) + (", …" if len(both) > 3 else "")
    return SnowmeltError(
        table,
        f"it has rows already of {_count(len(both), 'file')} that this machine loaded: "
        + named,
        "They were copied there from the bucket. --keep-copied leaves them, and ships "
        "the others; else remove them (DELETE … WHERE _FILE = …), and migrate again.",
    )


@dataclass(frozen=True)
class _Fitting:
    """How the columns of a table here and there go together."""

    pipe: Pipe
    table: str
    here: Mapping[str, str]
    there: Mapping[str, str]

    def require(self) -> None:
        """Refuse a column that is of another type there, or not there at all."""
        for name in self.of_contract:
            kind = self.there.get(sql.name(name))
            wanted = snowflake_type(self.here[name])
            if kind == wanted:
                continue
            told = f"{name} is {kind} there" if kind else f"{name} is not there"
            raise ConfigError(
                f"pipes/{self.pipe.name}.yml",
                f"{self.table}: {told}, and {wanted} ({self.here[name]}) here",
                "Make both the same: snowmelt deploy apply",
            )

    @property
    def of_contract(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.pipe.contract.columns)

    @property
    def _beyond(self) -> list[str]:
        return [name for name in self.here if name not in self.of_contract]

    @property
    def added(self) -> tuple[Typed, ...]:
        """Columns that files brought here: they are added there."""
        if self.pipe.schema_evolution is not SchemaEvolution.ADD_NEW_COLUMNS:
            return ()
        return tuple(
            Typed(sql.name(name), self.here[name])
            for name in self._beyond
            if sql.name(name) not in self.there
        )

    @property
    def shipped(self) -> tuple[str, ...]:
        coming = {*self.there, *(each.name for each in self.added)}
        return tuple(name for name in self.here if sql.name(name) in coming)

    @property
    def remarks(self) -> list[str]:
        left = [name for name in self.here if name not in self.shipped]
        return [f"column {name} is not there, and stays here" for name in left]


def place_of_files(location: str) -> str:
    """Return where shipped files lie, to be shown."""
    return f"{location}{PLACE}"
