"""What a migration asks of bronze: pieces of it, their digests, and their files.

Each answer is of one snapshot, so that a piece's file has the rows that its digest is
of, while files go on being loaded.
"""

from __future__ import annotations

import uuid
from typing import Any

from snowmelt.bronze.table import all_rows
from snowmelt.deploy.migration.digest import Digest
from snowmelt.deploy.migration.local import Wish
from snowmelt.deploy.migration.source import (
    Piece,
    Source,
    bronze_source,
    history_source,
    live_query,
    local_columns,
    withdrawn_query,
)
from snowmelt.errors import UsageError
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.evolved import effective_pipe
from snowmelt.serve.commands import Document
from snowmelt.service.parts import Parts
from snowmelt.service.questions import find_pipe
from snowmelt.warehouse.port import Session
from snowmelt.warehouse.sql import literal

_TABLE = "table_schema_name = $1 and table_name = $2"


class MovingAnswers:
    """A part of `OwnCommands`."""

    _parts: Parts

    def moving_pieces(self, wish: Document) -> Document:
        given = Wish.read(wish)
        with self._parts.warehouse.snapshot() as session:
            if not given.pipe:
                source = self._source(session, given)
                pieces = source.cut(session, given.after, given.rows_max)
                return {"pieces": [each.document for each in pieces]}
            pipe = self._pipe(session, given)
            if not given.columns:
                return {"columns": local_columns(pipe)}
            both = _known_among(session, pipe, given)
            source = self._source(session, given, without=both)
            pieces = source.cut(session, given.after, given.rows_max)
            return {
                "pieces": [each.document for each in pieces],
                "both": both,
                "withdrawn": [
                    key for (key,) in session.rows(withdrawn_query(pipe, given.after))
                ],
                **_counted(session, pipe, given),
            }

    def moving_piece(self, wish: Document) -> Document:
        given = Wish.read(wish)
        piece = Piece.read(dict(given.piece))
        with self._parts.warehouse.snapshot() as session:
            source = self._source(session, given)
            digest = source.digest(session, piece)
            texts = source.texts(session, piece)
            name = piece.name(digest, texts)
            path = None
            if name not in given.there:
                path = self._parts.project.spool / f"moving-{uuid.uuid4().hex}"
                source.write(session, piece, path)
        return {
            "name": name,
            "path": str(path) if path else None,
            **_told(digest),
            "texts": _told(texts) if texts else None,
        }

    def moving_digest(self, wish: Document, by_file: bool) -> Document:
        given = Wish.read(wish)
        with self._parts.warehouse.snapshot() as session:
            pipe = self._pipe(session, given)
            rows = session.rows(live_query(pipe, given.columns, by_file=by_file))
        if by_file:
            return {"files": {row[0]: _told(Digest.read(row[1:])) for row in rows}}
        return _told(Digest.read(rows[0]))

    def _pipe(self, session: Session, wish: Wish) -> Pipe:
        pipe = find_pipe(self._parts.project, wish.pipe, "pipe")
        return effective_pipe(session, pipe)

    def _source(
        self, session: Session, wish: Wish, without: list[str] | None = None
    ) -> Source:
        if not wish.pipe:
            return history_source(self._parts.project.pipes, wish.folder)
        return bronze_source(
            self._pipe(session, wish),
            wish.folder,
            wish.columns,
            wish.rows_max,
            wish.without if without is None else without,
        )


def _told(digest: Digest) -> dict[str, int]:
    return {"rows": digest.rows, "low": digest.low, "high": digest.high}


def _known_among(session: Session, pipe: Pipe, wish: Wish) -> list[str]:
    """Return which files that are there already this machine has yet to ship."""
    if not wish.without:
        return []
    listed = ", ".join(f"({literal(each)})" for each in wish.without)
    rows = session.rows(
        f"select distinct file_name from snowmelt.load_history where {_TABLE} "
        f"and row_count > 0 and load_seq > $3 "
        f"and file_name in (from (values {listed})) order by 1",
        [pipe.schema_name, pipe.table_name, wish.after[0]],
    )
    return [str(name) for (name,) in rows]


def _counted(session: Session, pipe: Pipe, wish: Wish) -> dict[str, Any]:
    """Return how many rows a pipe's table has, and how large their files were."""
    if pipe.external:
        raise UsageError(f"pipe {pipe.name}", "an external pipe has no rows to ship")
    size = session.value(
        "select coalesce(sum(file_size), 0) from snowmelt.load_history "
        f"where {_TABLE} and row_count > 0 and load_seq >= $3",
        [pipe.schema_name, pipe.table_name, wish.after[0]],
    )
    rows = session.value(f"select count(*) from {all_rows(pipe)}")
    return {"rows": int(rows), "source_bytes": int(size)}
