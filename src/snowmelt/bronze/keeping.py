"""Files of external pipes are kept by a second link, and registered with their loads.

Bronze is a view of what is registered (`external`). A link outlives its name in
landing; what it cannot outlive, content that is written over in place, is found here
as a file of another size or time, and counts as lost.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from snowmelt.bronze.fileread import FileRead
from snowmelt.bronze.fitting import Fitting
from snowmelt.bronze.inspection import Inspection
from snowmelt.bronze.prepared import Outcome
from snowmelt.errors import ChangedError, FileError
from snowmelt.landing.stage import Stage, StagedFile
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.external import (
    KeptFile,
    end_superseded,
    insert_kept,
    kept_files,
    touch_kept,
)
from snowmelt.pipe.identity import LiveLoad, Verdict
from snowmelt.warehouse.port import Session

_ODD_MARKS = re.compile(r"[^\w.-]", re.ASCII)
_NAME_LENGTH_MAX = 80
_NOT_WHERE_IT_LIES = (
    "external: it is not read where it lies but from a copy, and a view has none: it "
    "is compressed, encoded or no JSON by line, or some of its records are not plain. "
    "Write it plainly, or leave external out"
)
_NO_LINK = (
    "external: no second link can keep it. Landing must be on the project's file "
    "system, and this user own the file"
)


def keep_files(
    stage: Stage,
    fitting: Fitting,
    reads: Mapping[str, FileRead],
    there: Mapping[str, StagedFile | None],
) -> dict[str, tuple[KeptFile, Inspection]]:
    """Keep an external pipe's files by second links; their loads have no number yet.

    Each comes with its inspection as it is then: a link changes an inode's time. What
    cannot be kept, or not be read where it lies, has a problem after it; what another
    file has taken the place of, changed. Nothing is kept of what is held, has no rows,
    fails anyway, or is not what lies `there`.
    """
    kept: dict[str, tuple[KeptFile, Inspection]] = {}
    for name, read in reads.items() if fitting.pipe.external else ():
        fails = read.problem or read.rejects or name in fitting.held
        if fails or there[name] != read.inspection.file or not read.row_count:
            continue
        read.problem = why_not_kept(read)
        if read.problem:
            continue
        try:
            kept[name] = _keep(stage, fitting.pipe, read)
        except ChangedError:
            read.changed = True
        except FileError as error:
            read.problem = error.problem
    return kept


def why_not_kept(read: FileRead) -> str | None:
    """Say why a view cannot read a file that was read, if so."""
    if read.query and not read.inspection.plain.is_copy:
        return None
    return _NOT_WHERE_IT_LIES


def _keep(stage: Stage, pipe: Pipe, read: FileRead) -> tuple[KeptFile, Inspection]:
    """Link one file. Raises FileError if that cannot be, ChangedError if it changed."""
    file = read.inspection.file
    path = stage.path(file.name)
    assert path is not None, "external pipes read files of this machine"
    short = _ODD_MARKS.sub("_", path.name)[-_NAME_LENGTH_MAX:]
    name = f"{pipe.name}/{uuid.uuid4().hex}-{short}"
    link = pipe.external_folder / name
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, link, follow_symlinks=False)
        for each in (link, link.parent, link.parent.parent):
            _sync(each)
        found = link.stat()
    except FileNotFoundError:
        raise ChangedError(file.name, "it is gone") from None
    except OSError as error:
        raise FileError(file.name, f"{_NO_LINK} ({error.strerror})") from None
    state = (found.st_size, found.st_mtime_ns)
    if (found.st_ino, *state) != (file.inode, file.size, file.mtime_ns):
        link.unlink()
        raise ChangedError(file.name, "it changed while it was read")
    names = tuple(column.name for column in pipe.contract.columns)
    kept = KeptFile(
        *(0, pipe.full_table_name, file.name, name, *state, names, read.query)
    )
    linked = replace(file, ctime_ns=found.st_ctime_ns)
    return kept, replace(read.inspection, file=linked)


def _sync(path: Path) -> None:
    """Have a file or a folder on the disk before its load is."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def without_changed(
    session: Session,
    pipe: Pipe,
    live: Sequence[LiveLoad],
    arrived: Sequence[Inspection],
) -> tuple[list[LiveLoad], set[str]]:
    """Return live loads, those whose files were written over without their content.

    So nothing counts as the same as these. Their names are returned too: what comes
    under them is loaded. A file that has arrived with the content it had was only
    touched.
    """
    by_name = {each.file.name: each for each in arrived}
    changed = {
        each.load_seq: each
        for each in kept_files(session, pipe.full_table_name)
        if each.is_changed(pipe.external_folder)
    }
    found, lost = [], set()
    for load in live:
        kept, file = changed.get(load.load_seq), by_name.get(load.file_name)
        if kept is not None and not (
            file is not None
            and file.content_sha256 == load.content_sha256
            and _is_same_file(pipe, kept, file.file)
        ):
            load = replace(load, content_sha256=None)
            lost.add(load.file_name)
        found.append(load)
    return found, lost


def _is_same_file(pipe: Pipe, kept: KeptFile, file: StagedFile) -> bool:
    try:
        return (pipe.external_folder / kept.name).stat().st_ino == file.inode
    except OSError:
        return False


def register(session: Session, pipe: Pipe, outcomes: Sequence[Outcome]) -> bool:
    """Note what a batch brought, in the transaction of its loads; say if that is news.

    Call when what it superseded is on record. A changed file whose load is superseded
    is not read any more: what it held is nowhere. One that was only touched is what it
    was, whichever loads have a link of it.
    """
    kept = [
        replace(each.kept, load_seq=each.record.load_seq)
        for each in outcomes
        if each.kept is not None
    ]
    if kept:
        insert_kept(session, kept)
    changed = [
        each
        for each in kept_files(session, pipe.full_table_name)
        if each.is_changed(pipe.external_folder)
    ]
    touched = [
        each.inspection.file
        for each in outcomes
        if each.identity.verdict is Verdict.UNCHANGED
    ]
    for each in changed:
        for file in touched:
            if _is_same_file(pipe, each, file):
                touch_kept(session, each.load_seq, file.mtime_ns)
                break
        else:
            end_superseded(session, each.load_seq)
    return bool(kept or changed)
