"""A dry run of one file: what loading it would come to."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import closing
from pathlib import Path

from snowmelt.bronze.inspection import inspect
from snowmelt.bronze.intake import Intake
from snowmelt.bronze.on_error import judge
from snowmelt.bronze.reading import Reading
from snowmelt.errors import UsageError
from snowmelt.landing.folder import LocalFolder
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.history import LoadStatus, live_loads
from snowmelt.pipe.identity import Verdict, identify
from snowmelt.serve.commands import Document
from snowmelt.service.loop import Parts

ERRORS_SHOWN_MAX = 20


def check_file(parts: Parts, path: Path, pipe: Pipe | None) -> Document:
    """Read a file as its pipe would, on a copy, and say what would happen.

    Raises UsageError when the file is not there or no pipe takes its name.
    """
    if not path.is_file():
        raise UsageError(str(path), "there is no such file")
    name = name_in_stage(parts, path)
    pipe = pipe or parts.pending.pipe_of(name)
    if pipe is None:
        patterns = ", ".join(p.pattern for p in parts.project.pipes)
        raise UsageError(
            str(path),
            "no pipe takes this name",
            f"Patterns: {patterns}. Name a pipe with --pipe.",
        )
    folder = Path(tempfile.mkdtemp(prefix="check-", dir=parts.project.spool))
    try:
        shutil.copyfile(path, folder / "file")
        return {"schema_version": 1, "file": name, "pipe_name": pipe.name} | _read(
            parts, folder, name, pipe
        )
    finally:
        shutil.rmtree(folder)


def name_in_stage(parts: Parts, path: Path) -> str:
    """Return a file's name in the stage, or its bare name if it lies elsewhere."""
    if not parts.project.lands_locally:
        return path.name
    try:
        return path.resolve().relative_to(parts.project.landing).as_posix()
    except ValueError:
        return path.name


def _read(parts: Parts, folder: Path, name: str, pipe: Pipe) -> Document:
    stage, spool = LocalFolder(folder), parts.project.spool
    staged = stage.look("file")
    assert staged is not None
    with (
        parts.warehouse.session() as session,
        closing(Intake(stage, pipe, spool)) as intake,
        closing(Reading(session, pipe, spool)) as reading,
    ):
        inspection = inspect(staged, intake, pipe.limits.max_record_bytes)
        live = live_loads(session, pipe.name, [name], [inspection.content_sha256])
        identity = identify(name, inspection.content_sha256, live)
        (read,) = reading.read([inspection])
    status = judge(pipe.on_error, read.row_parsed, len(read.rejects))
    if read.problem:
        status = LoadStatus.LOAD_FAILED
    failed = status is LoadStatus.LOAD_FAILED
    return {
        "identity": identity.verdict.value,
        "would_be": _would_be(identity.verdict, status),
        "duplicate_of": identity.duplicate_of,
        "supersedes": list(identity.supersedes),
        "problem": read.problem,
        "row_parsed": read.row_parsed,
        "row_count": 0 if failed else read.row_count,
        "error_count": len(read.rejects),
        "errors": [
            {
                "file_row": reject.file_row,
                "line": reject.line,
                "column_name": reject.errors[0].column_name,
                "error": reject.errors[0].error,
                "rejected_record": reject.raw.decode("utf-8", "backslashreplace"),
            }
            for reject in read.rejects[:ERRORS_SHOWN_MAX]
        ],
    }


def _would_be(verdict: Verdict, status: LoadStatus) -> str:
    if verdict is Verdict.UNCHANGED:
        return "nothing: the same bytes are loaded under this name"
    if verdict is Verdict.DUPLICATE:
        return LoadStatus.LOAD_SKIPPED.value
    return status.value
