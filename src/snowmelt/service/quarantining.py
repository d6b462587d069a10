"""The verbs for rows that silver refused: list, group, export."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from snowmelt.bronze.originals import Original, Originals
from snowmelt.bronze.reject_file import FORMATS, write_records
from snowmelt.errors import UsageError
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.evolved import effective_pipe
from snowmelt.pipe.history import LoadRecord, load_record
from snowmelt.serve.commands import Document
from snowmelt.service.documents import SCHEMA_VERSION, as_documents, plain
from snowmelt.service.parts import Parts
from snowmelt.transform.quarantine import (
    COLUMNS,
    Quarantine,
    count_refused,
    group_refused,
    quarantines,
    refused_rows,
)
from snowmelt.warehouse.port import Row, Session

LINES_BYTES_MAX = 256 * 1024 * 1024
"""Files are read for the lines of what is listed until they were so many bytes."""
GROUP_COLUMNS = ("model", "rule", "count", "first", "newest", "example")
_LOAD, _FILE_ROW = COLUMNS.index("load_seq"), COLUMNS.index("file_row")
_TABLE = COLUMNS.index("pipe_table")


class Quarantining:
    """Shows what silver refused, and writes it out so that it can be corrected."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def rows(
        self, model: str | None, rule: str | None, limit: int, *, lines: bool = True
    ) -> Document:
        """Return refused rows, one by one, with the lines of files still there.

        Without `lines` no file is read for them: a page must not wait for that.
        """
        with self._parts.warehouse.snapshot() as session:
            chosen = self._chosen(session, model)
            counts = count_refused(session, chosen, rule)
            found = refused_rows(session, chosen, rule=rule, limit=limit)
            known = self._lines(session, found) if lines else {}
        rows = as_documents(COLUMNS, found)
        for row in rows:
            row.pop("pipe_table")
            row["values"] = plain(json.loads(row.pop("refused_row")))
            row["line"] = known.get((row["load_seq"], row["file_row"]))
        return {
            "schema_version": SCHEMA_VERSION,
            "count": counts["open"],
            "replayed": counts["replayed"],
            "rows": rows,
        }

    def groups(self, model: str | None, rule: str | None) -> Document:
        """Return open rows counted by model and rule."""
        with self._parts.warehouse.snapshot() as session:
            found = group_refused(session, self._chosen(session, model), rule)
        groups = as_documents(GROUP_COLUMNS, found)
        for group in groups:
            group["example"] = plain(json.loads(group["example"]))
        return {
            "schema_version": SCHEMA_VERSION,
            "count": sum(group["count"] for group in groups),
            "groups": groups,
        }

    def export(
        self, path: str, file_format: str, model: str | None, rule: str | None
    ) -> Document:
        """Write open rows as the records they came from, to be corrected."""
        if file_format not in FORMATS:
            known = ", ".join(FORMATS)
            raise UsageError(f"--format {file_format}", "no such format", f"{known}.")
        with self._parts.warehouse.snapshot() as session:
            chosen = self._chosen(session, model)
            found = refused_rows(session, chosen, rule=rule, only_open=True)
            count = write_records(
                Path(path), file_format, self._records(session, found)
            )
        return {"schema_version": SCHEMA_VERSION, "path": path, "count": count}

    def open_rows(self) -> dict[int, set[int]]:
        """Return the open rows: ordinals by load."""
        found: dict[int, set[int]] = {}
        with self._parts.warehouse.snapshot() as session:
            chosen = self._chosen(session, None)
            for row in refused_rows(session, chosen, only_open=True):
                found.setdefault(row[_LOAD], set()).add(row[_FILE_ROW])
        return found

    def _chosen(self, session: Session, model: str | None) -> list[Quarantine]:
        """Return the quarantines meant. Raises UsageError for a model without one."""
        known = quarantines(session)
        if model is None:
            return known
        chosen = [
            each
            for each in known
            if model in (each.model, each.model.partition(".")[2])
        ]
        if not chosen:
            names = ", ".join(each.model for each in known) or "none yet"
            raise UsageError(
                f"--model {model}", "no such model has a quarantine", f"Known: {names}."
            )
        return chosen

    def _lines(
        self, session: Session, found: Sequence[Row]
    ) -> dict[tuple[int, int], int]:
        lines, left = {}, LINES_BYTES_MAX
        for pipe, load, file_rows in self._loads(session, found):
            left -= load.file_size
            if left < 0:
                break
            for file_row, original in (
                self._originals(pipe).find(load, file_rows).items()
            ):
                if original.line is not None:
                    lines[load.load_seq, file_row] = original.line
        return lines

    def _records(
        self, session: Session, found: Sequence[Row]
    ) -> Iterator[dict[str, Any]]:
        by_record = {(row[_LOAD], row[_FILE_ROW]): row for row in found}
        for pipe, load, file_rows in self._loads(session, found):
            originals = self._originals(pipe)
            there = originals.find(load, file_rows)
            gone = [each for each in file_rows if each not in there]
            if gone:
                there |= originals.write(session, load, gone)
            for file_row in file_rows:
                if file_row not in there:
                    continue  # its load is superseded, and was vacuumed
                row = dict(
                    zip(COLUMNS, by_record[load.load_seq, file_row], strict=True)
                )
                yield _record(pipe, row, there[file_row])

    def _loads(
        self, session: Session, found: Sequence[Row]
    ) -> Iterator[tuple[Pipe, LoadRecord, list[int]]]:
        """Yield the loads that rows are of, with their pipes and the rows' ordinals."""
        pipes = {pipe.table_name: pipe for pipe in self._parts.project.pipes}
        in_order = sorted(found, key=lambda row: (row[_LOAD], row[_FILE_ROW]))
        for (load_seq, table), rows in groupby(
            in_order, key=lambda row: (row[_LOAD], row[_TABLE])
        ):
            load = load_record(session, load_seq)
            if load is not None and table in pipes:
                pipe = effective_pipe(session, pipes[table])
                yield pipe, load, sorted({row[_FILE_ROW] for row in rows})

    def _originals(self, pipe: Pipe) -> Originals:
        return Originals(self._parts.stage, pipe, self._parts.project.spool)


def _record(pipe: Pipe, row: dict[str, Any], original: Original) -> dict[str, Any]:
    return {
        "load_seq": row["load_seq"],
        "file_row": row["file_row"],
        "pipe_name": pipe.name,
        "file_name": row["file_name"],
        "line": original.line,
        "column_name": None,
        "category": "RULE",
        "error": f"{row['model']} refuses it: {', '.join(row['rules'])}",
        "rejected_record": original.raw,
    }
