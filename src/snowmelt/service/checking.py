"""A dry run of one file: what loading it would come to."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path

from snowmelt.bronze.fileread import FileRead
from snowmelt.bronze.fitting import Fitting, difference_detail, fit
from snowmelt.bronze.inspection import Inspection, inspect
from snowmelt.bronze.intake import Intake
from snowmelt.bronze.keeping import why_not_kept
from snowmelt.bronze.on_error import judge
from snowmelt.bronze.reading import Reading
from snowmelt.errors import UsageError
from snowmelt.landing.folder import LocalFolder
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.evolution import Difference, describe
from snowmelt.pipe.evolved import effective_pipe
from snowmelt.pipe.history import LoadStatus
from snowmelt.pipe.identity import Arrival, Verdict, identify
from snowmelt.pipe.known import known_loads
from snowmelt.pipe.version import version_at
from snowmelt.serve.commands import Document
from snowmelt.service.parts import Parts
from snowmelt.service.questions import name_in_stage
from snowmelt.service.standing import waiting_reasons

ERRORS_SHOWN_MAX = 20


def check_file(parts: Parts, path: Path, pipe: Pipe | None) -> Document:
    """Read a file as its pipe would, on a copy, and say what would happen.

    Raises UsageError when the file is not there or no pipe takes its name.
    """
    if not path.is_file():
        raise UsageError(str(path), "there is no such file")
    name = name_in_stage(parts, str(path.resolve()))
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


def _read(parts: Parts, folder: Path, name: str, pipe: Pipe) -> Document:
    stage, spool = LocalFolder(folder), parts.project.spool
    staged = stage.look("file")
    assert staged is not None
    with (
        parts.warehouse.session() as session,
        closing(Intake(stage, pipe, spool)) as intake,
        ExitStack() as opened,
    ):
        inspection = inspect(staged, intake, pipe.limits.max_record_bytes)
        sha256 = inspection.content_sha256
        live = known_loads(session, pipe, [name], [sha256])
        now = parts.clock.now()
        version = version_at(name, staged.modified_at)
        arrival = Arrival(name, sha256, now, version_at=version)
        identity = identify(arrival, live, pipe.identity_rules)
        waits = waiting_reasons(session, parts, name, pipe)
        fitting = fit(session, effective_pipe(session, pipe), [inspection], spool)
        reading = opened.enter_context(closing(Reading(session, fitting.pipe, spool)))
        reads = reading.read(fitting.to_read)
        fitting.hold_retyped(session, reads, reading)
        read = reads[0] if reads else FileRead(inspection)
        drift = fitting.held.get(inspection.file.name)
    if pipe.external and reads and not (read.problem or read.rejects):
        read.problem = why_not_kept(read)
    status = judge(pipe.on_error, read.row_parsed, len(read.rejects))
    if read.problem:
        status = LoadStatus.LOAD_FAILED
    failed = status is LoadStatus.LOAD_FAILED
    return {
        "identity": identity.verdict.value,
        "would_be": _would_be(identity.verdict, status, drift),
        "duplicate_of": identity.duplicate_of,
        "supersedes": list(identity.supersedes),
        "repeats": identity.repeats,
        "reason": identity.reason or _why(fitting, inspection, drift),
        "drift": difference_detail(drift) if drift else None,
        "added_columns": [
            {"column_name": column.name, "column_type": column.type}
            for column in fitting.added.get(inspection.file.name, ())
        ],
        "waits": waits,
        "problem": read.problem,
        "row_parsed": read.row_parsed,
        "row_count": 0 if failed or drift else read.row_count,
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


def _why(
    fitting: Fitting, inspection: Inspection, drift: Difference | None
) -> str | None:
    """Say what the file's columns would come to, if they are not the contract's."""
    if drift:
        return f"It would wait for a person: {describe(drift)}. See: snowmelt drift"
    added = fitting.added.get(inspection.file.name, ())
    if not added:
        return None
    names = ", ".join(f"{column.name} ({column.type})" for column in added)
    return f"It would add to {fitting.pipe.full_table_name}: {names}."


def _would_be(verdict: Verdict, status: LoadStatus, drift: Difference | None) -> str:
    if verdict is Verdict.UNCHANGED:
        return "nothing: the same bytes are loaded under this name"
    if verdict in (Verdict.DUPLICATE, Verdict.IGNORED):
        return LoadStatus.LOAD_SKIPPED.value
    if drift:
        return "held"
    return status.value
