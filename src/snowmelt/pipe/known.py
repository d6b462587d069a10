"""What a pipe's rules of identity have to be told of its past loads."""

from __future__ import annotations

from collections.abc import Sequence

from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.history import in_parts, live_loads
from snowmelt.pipe.identity import LiveLoad
from snowmelt.warehouse.port import Session


def known_loads(
    session: Session, pipe: Pipe, names: Sequence[str], contents: Sequence[str]
) -> list[LiveLoad]:
    """Return the loads that files of these names and contents are compared with."""
    if pipe.snowpipe_compat:
        return _registered_loads(session, pipe.name, names)
    if pipe.mode == "snapshot":
        return _snapshots(session, pipe.name)
    return live_loads(session, pipe.name, names, contents)


def _snapshots(session: Session, pipe_name: str) -> list[LiveLoad]:
    """Return every live load of a pipe: of snapshots there is one, and its replays."""
    rows = session.rows(
        "select load_seq, file_name, content_sha256, row_parsed, "
        "replay_of is not null, false, false, last_load_time, version_at "
        "from snowmelt.load_history where pipe_name = $1 and superseded_by is null "
        "and status <> 'Load failed' order by load_seq",
        [pipe_name],
    )
    return [LiveLoad(*row) for row in rows]


def _registered_loads(
    session: Session, pipe_name: str, names: Sequence[str]
) -> list[LiveLoad]:
    """Return the loads under these names, failed ones too: Snowpipe knows both."""
    found: list[LiveLoad] = []
    for chosen in in_parts(session, "load_history", names):
        rows = session.rows(
            """
            select load_seq, file_name, content_sha256,
                   case when status = 'Load skipped' then 0 else row_parsed end,
                   replay_of is not null,
                   status = 'Load skipped' and duplicate_of is null,
                   status = 'Load failed',
                   last_load_time
            from (
                select * from snowmelt.load_history
                where file_name in (select unnest($2::json::varchar[]))
                limit 9223372036854775807
            )
            where pipe_name = $1 and superseded_by is null
            """,
            [pipe_name, chosen],
        )
        found += [LiveLoad(*row) for row in rows]
    return sorted(found, key=lambda load: load.load_seq)
