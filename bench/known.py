"""Loads that a warehouse knows of already, written in bulk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from snowmelt.landing.stage import StagedFile
from snowmelt.pipe.history import LoadRecord, LoadStatus, insert_loads, settle_files
from snowmelt.service.parts import Parts
from snowmelt.warehouse.port import Session

_THEN = datetime(2024, 1, 1, tzinfo=UTC)
_FILES_AT_ONCE = 10_000


def add_known_loads(parts: Parts, count: int) -> None:
    """Add `count` loads of files that have left the folder, with positions from 1."""
    if not count:
        return
    with parts.warehouse.session() as session, session.transaction():
        first = StagedFile("orders_old_1.csv", 2_400, 1, 1, 1)
        _settle(parts, session, [first], 1)
        insert_loads(session, [_record(first.name)])
        named = "'orders_old_' || i || '.csv' as file_name, i as load_seq"
        for table, values in (
            ("load_history", f"{named}, sha256(i::varchar) as content_sha256"),
            ("staged_files", named),
        ):
            session.execute(
                f"insert into snowmelt.{table} select * exclude (i) "
                f"replace ({values}) from snowmelt.{table}, range(2, {count + 1}) "
                "as numbers (i)"
            )
    _checkpoint(parts)


def add_known_files(parts: Parts, files: Sequence[StagedFile]) -> None:
    """Add a load of each of these files, which lie there."""
    with parts.warehouse.session() as session, session.transaction():
        for at in range(0, len(files), _FILES_AT_ONCE):
            _settle(parts, session, files[at : at + _FILES_AT_ONCE], at + 1)
        insert_loads(session, [_record(files[0].name)])
        session.execute(
            "insert into snowmelt.load_history select history.* replace "
            "(file.file_name as file_name, file.load_seq as load_seq, "
            "sha256(file.file_name) as content_sha256) "
            "from snowmelt.load_history as history, snowmelt.staged_files as file "
            "where file.load_seq > 1"
        )
    _checkpoint(parts)


def _settle(
    parts: Parts, session: Session, files: Sequence[StagedFile], first_seq: int
) -> None:
    (pipe,) = parts.project.pipes
    settled = [
        (file, pipe.name, pipe.digest, str(LoadStatus.LOADED), load_seq)
        for load_seq, file in enumerate(files, first_seq)
    ]
    settle_files(session, settled)


def _checkpoint(parts: Parts) -> None:
    with parts.warehouse.session() as session:
        session.execute("checkpoint")


def _record(name: str) -> LoadRecord:
    """Return the record of a load without rows, the first one."""
    values: dict[str, Any] = {field.name: None for field in fields(LoadRecord)}
    values |= dict.fromkeys(("row_count", "row_parsed", "file_size", "error_count"), 0)
    values |= dict.fromkeys(("pipe_name", "table_name"), "orders")
    values |= {key: _THEN for key in values if key.endswith(("_time", "_at"))}
    values |= {
        "file_name": name,
        "stage_location": "",
        "error_limit": "continue",
        "status": LoadStatus.LOADED,
        "table_schema_name": "bronze",
        "load_seq": 1,
        "content_sha256": "0" * 64,
        "header": "[]",
    }
    return LoadRecord(**values)
