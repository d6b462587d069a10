"""How a task has pipes look at their stage again: at what came since they are there.

A pipe that was made anew has forgotten what the one before it copied, so that a plain
REFRESH copies files of the last 7 days once more. "If you recreated the pipe in the
last 7 days, always include MODIFIED_AFTER"
(https://docs.snowflake.com/en/user-guide/data-load-snowpipe-manage).

What was staged before a pipe was made is for who makes it: `pipe_change` lists the
stage when the pipe is there and hears what comes, and has copied what is missing. So
there is no file between the two; until that is done, the comment says so, and the next
apply goes on.

When a pipe was made is asked at run time, since a task cannot know: PIPES tells it in
CREATED, which altering does not move, to the role that owns the pipe, with which tasks
run (https://docs.snowflake.com/en/sql-reference/info-schema/pipes). Where it is not
told, the pipe looks back as far as it can: a file that is copied twice counts once, one
that is not copied does not count.
"""

from __future__ import annotations

from datetime import timedelta

from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.catch_up import REFRESHED
from snowmelt.deploy.snowflake.task_place import Place
from snowmelt.deploy.snowflake.task_sql import block

BEFORE = timedelta(hours=1)
"""How much earlier than its pipe a file may have been staged.

A file that is uploaded in parts is dated by when its upload began
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html): one that was
whole after the stage was listed, and whose notification got lost, is dated before the
pipe. So what another pipe copied in that hour is copied once more, and counts once.
"""
_ISO = 'YYYY-MM-DD"T"HH24:MI:SSTZH:TZM'
"""https://docs.snowflake.com/en/sql-reference/date-time-input-output"""


def refresh_code(place: Place, pipes: tuple[str, ...]) -> str:
    """Return what a task says to have pipes look at their stage again."""
    statements = [
        said
        for pipe in pipes
        for said in (_written(place, pipe), "EXECUTE IMMEDIATE :statement")
    ]
    return block(statements, declared=("statement VARCHAR DEFAULT ''",))


def _written(place: Place, pipe: str) -> str:
    """Return what writes the refresh of a pipe: MODIFIED_AFTER takes no expression.

    It may say 7 days at most, and is read some time after it was written; so a pipe
    that is nearly that old is refreshed without it, which is 7 days
    (https://docs.snowflake.com/en/sql-reference/sql/alter-pipe).
    """
    head = f"ALTER PIPE {place.pipe(pipe)} REFRESH"
    since = f"TO_VARCHAR({_ago(BEFORE, 'MAX(CREATED)')}, {sql.text(_ISO)})"
    opening, closing = sql.text(" MODIFIED_AFTER = '"), sql.text("'")
    young = _ago(REFRESHED - 2 * BEFORE, "CURRENT_TIMESTAMP()")
    schema, name = place.pipe_as_kept(pipe)
    return (
        f"SELECT {sql.text(head)} ||\n"
        f"      COALESCE({opening} || {since} || {closing}, '')\n"
        "    INTO :statement\n"
        f"    FROM {sql.name(place.database)}.INFORMATION_SCHEMA.PIPES\n"
        f"    WHERE PIPE_SCHEMA = {sql.text(schema)} AND PIPE_NAME = {sql.text(name)}\n"
        f"      AND CREATED > {young}"
    )


def _ago(how_long: timedelta, moment: str) -> str:
    return f"DATEADD(HOUR, -{how_long // timedelta(hours=1)}, {moment})"
