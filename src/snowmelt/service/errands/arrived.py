"""What became of a pipe's files of some names: for whoever waits for them."""

from __future__ import annotations

from fnmatch import fnmatchcase

from snowmelt.serve.commands import Document
from snowmelt.service.documents import SCHEMA_VERSION
from snowmelt.service.errands.failing import failed_loads
from snowmelt.service.loop import Loop
from snowmelt.service.questions import read_instant

FILES_SHOWN = 100
BROKEN_SHOWN = 20
# What came again and was loaded already is in no load history: what lies there is. An
# object has a time in whole seconds; a file's change tells when it got its name.
_CAME = """
    select file_name from snowmelt.staged_files
    where pipe_name = $1 and epoch_ns($3::timestamptz) <= case etag
        when '' then file_ctime_ns else file_mtime_ns + 999_999_999 end
"""
# Each file counts as its newest version.
_NEWEST = f"""
    select * from snowmelt.load_history
    where pipe_name = $1 and file_name glob $2
        and ($3 is null or last_load_time >= $3 or file_name in ({_CAME}))
    qualify row_number() over (partition by file_name order by load_seq desc) = 1
"""  # noqa: S608 - texts of ours
_COUNTS = f"""
    select count(*) filter (status <> 'Load failed'),
        count(*) filter (status = 'Load failed'),
        coalesce(sum(row_count), 0)::bigint
    from ({_NEWEST})
"""  # noqa: S608 - texts of ours
_BROKEN = f"""
    select file_name, first_error_line_number, first_error_column_name,
        first_error_message, status
    from ({_NEWEST}) where status = 'Load failed'
    order by load_seq desc limit {BROKEN_SHOWN}
"""  # noqa: S608 - texts of ours
_LOADED = f"""
    select file_name from ({_NEWEST}) where status <> 'Load failed'
    order by load_seq desc limit {FILES_SHOWN}
"""  # noqa: S608 - texts of ours


def arrived_document(
    loop: Loop, pipe: str, name: str | None, since: str | None
) -> Document:
    """Return how many files of a pipe are loaded, failed, and wait.

    `name`: a pattern such as `orders_2024-*.csv`. `since`: what was loaded before that
    instant does not count, unless it came again since: content that is known is there.
    Each file counts as its newest version; one whose content is loaded already by
    another name is there, too.
    """
    pattern, after = name or "*", read_instant("since", since)
    given = [pipe, pattern, after]
    with loop.parts.warehouse.snapshot() as session:
        ((loaded, failed, rows),) = session.rows(_COUNTS, given)
        broken = session.rows(_BROKEN, given)
        files = session.rows(_LOADED, given)
        last = session.value("select max(load_seq) from snowmelt.load_history")
    names = (
        *("file_name", "first_error_line_number"),
        *("first_error_column_name", "first_error_message", "status"),
    )
    with loop.lock:
        states = loop.parts.pending.states()
    waiting = [
        {"file": each["file_name"], "state": each["state"]}
        for each in states
        if each["pipe_name"] == pipe and fnmatchcase(str(each["file_name"]), pattern)
    ]
    return {
        "schema_version": SCHEMA_VERSION,
        "pipe": pipe,
        "loaded": loaded,
        "failed": failed,
        "row_count": rows,
        "files": [file for (file,) in files],
        "failed_loads": failed_loads(
            [dict(zip(names, row, strict=True)) for row in broken]
        ),
        "waiting": waiting[:FILES_SHOWN],
        "waiting_count": len(waiting),
        "last_load_seq": last or 0,
    }
