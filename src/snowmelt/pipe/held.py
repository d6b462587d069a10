"""Files that wait for a person's decision, and why. One mechanism for every reason.

A held file is one version of a file: when another version lies there, that one is
looked at anew. A row is open until it is decided; decided rows stay as a record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from snowmelt.landing.stage import StagedFile
from snowmelt.pipe.history import one_of
from snowmelt.warehouse.port import Row, Session

PIPE_DIGEST = "pipe_digest"
"""In `detail`: as what the pipe's definition stood when the file was held."""


class HeldReason(StrEnum):
    """Why a file waits."""

    DRIFT = "drift"
    KILLED_READER = "killed_reader"
    PERSON = "person"
    INCOMPLETE = "incomplete"


class HeldDecision(StrEnum):
    """What a person decided about a held file."""

    RELEASED = "released"
    REJECTED = "rejected"


@dataclass(frozen=True)
class HeldFile:
    """One version of a file that waits. `detail` says what a person has to know."""

    file_name: str
    pipe_name: str
    file_size: int
    file_mtime_ns: int
    file_ctime_ns: int
    etag: str
    reason: HeldReason
    detail: Mapping[str, Any] = field(hash=False)
    held_at: datetime

    def holds(self, file: StagedFile, pipe_digest: str) -> bool:
        """Is this the version of the file that waits?

        One held for its columns waits only while its pipe reads them as it did.
        """
        if self.detail.get(PIPE_DIGEST, pipe_digest) != pipe_digest:
            return False
        return (self.file_size, self.file_mtime_ns, self.file_ctime_ns) == (
            file.size,
            file.mtime_ns,
            file.ctime_ns,
        )


_COLUMNS = (
    "file_name",
    "pipe_name",
    "file_size",
    "file_mtime_ns",
    "file_ctime_ns",
    "etag",
    "reason",
    "detail",
    "held_at",
)


def hold_file(
    file: StagedFile,
    pipe_name: str,
    reason: HeldReason,
    detail: Mapping[str, Any],
    now: datetime,
) -> HeldFile:
    """Return this version of a file as one that waits from now on."""
    return HeldFile(
        file_name=file.name,
        pipe_name=pipe_name,
        file_size=file.size,
        file_mtime_ns=file.mtime_ns,
        file_ctime_ns=file.ctime_ns,
        etag=getattr(file, "etag", ""),
        reason=reason,
        detail=detail,
        held_at=now,
    )


def insert_held(session: Session, held: Sequence[HeldFile]) -> None:
    """Hold files, in the caller's transaction; what was held under a name is replaced.

    So a name has one open row at most. Tell `PendingFiles.hold` once it is committed.
    """
    if not held:
        return
    forget_held(session, [each.file_name for each in held])
    values = {
        name: [getattr(each, name) for each in held]
        for name in _COLUMNS
        if name != "detail"
    }
    details = [json.dumps(each.detail, ensure_ascii=False) for each in held]
    session.insert("snowmelt.held_files", {**values, "detail": details})


def held_files(session: Session) -> dict[str, HeldFile]:
    """Return the files that wait for a decision, by name."""
    rows = session.rows(
        f"select {', '.join(_COLUMNS)} from snowmelt.held_files "  # noqa: S608
        "where decided is null order by held_at, file_name"
    )
    return {row[0]: _read(row) for row in rows}


def _read(row: Row) -> HeldFile:
    name, pipe_name, size, mtime_ns, ctime_ns, etag, reason, detail, held_at = row
    known = json.loads(detail or "{}")
    reason = HeldReason(reason)
    return HeldFile(
        name, pipe_name, size, mtime_ns, ctime_ns, etag or "", reason, known, held_at
    )


def released_drift(session: Session, files: Sequence[StagedFile]) -> set[str]:
    """Return which of these versions a person released although their columns differ.

    They are not held for it again.
    """
    rows = session.rows(
        "select file_name, file_size, file_mtime_ns, file_ctime_ns "
        "from snowmelt.held_files where decided = 'released' and reason = 'drift' "
        "and file_name in (select unnest($1::json::varchar[]))",
        [[file.name for file in files]],
    )
    known = set(rows)
    return {
        file.name
        for file in files
        if (file.name, file.size, file.mtime_ns, file.ctime_ns) in known
    }


def decide_held(
    session: Session, file_name: str, decided: HeldDecision, now: datetime
) -> bool:
    """Close the open row of a file, in the caller's transaction; was there one?"""
    if file_name not in held_files(session):
        return False
    session.execute(
        "update snowmelt.held_files set decided = $1, decided_at = $2 "
        "where file_name = $3 and decided is null",
        [str(decided), now, file_name],
    )
    return True


def forget_held(session: Session, names: Sequence[str]) -> None:
    """Drop open rows of files that are gone or came again as another version."""
    if not names:
        return
    wanted, parameters = one_of("file_name", list(names))
    session.execute(
        f"delete from snowmelt.held_files where decided is null and {wanted}",  # noqa: S608 - ours
        parameters,
    )
