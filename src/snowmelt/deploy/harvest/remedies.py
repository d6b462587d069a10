"""What lets a refused question be answered: the grant, or the command. Pure.

Privileges are those that each function's page names, such as
https://docs.snowflake.com/en/sql-reference/functions/warehouse_metering_history
"""

from __future__ import annotations

from snowmelt.deploy.harvest.scope import Scope
from snowmelt.deploy.snowflake.session import AccountError

_GRANTS = {
    "COPY_HISTORY": "GRANT MONITOR ON PIPE {of} TO ROLE {role}; GRANT SELECT ON TABLE "
    "{table} TO ROLE {role}",
    "SYSTEM$PIPE_STATUS": "GRANT MONITOR ON PIPE {of} TO ROLE {role}",
    "VALIDATE_PIPE_LOAD": "GRANT MONITOR ON PIPE {of} TO ROLE {role}",
    "PIPE_USAGE_HISTORY": "GRANT MONITOR USAGE ON ACCOUNT TO ROLE {role}",
    "WAREHOUSE_METERING_HISTORY": "GRANT MONITOR USAGE ON ACCOUNT TO ROLE {role}",
    "TASK_HISTORY": "GRANT MONITOR EXECUTION ON ACCOUNT TO ROLE {role}",
    "QUERY_HISTORY_BY_WAREHOUSE": "GRANT MONITOR ON WAREHOUSE {of} TO ROLE {role}",
    "PIPELINE_LOG": "GRANT SELECT ON TABLE {of} TO ROLE {role}",
    "SHOW STREAMS": "GRANT USAGE ON DATABASE {of} TO ROLE {role}",
    "SHOW TASKS": "GRANT MONITOR EXECUTION ON ACCOUNT TO ROLE {role}",
    "SYSTEM$STREAM_HAS_DATA": "GRANT SELECT ON STREAM {of} TO ROLE {role}",
    "SHOW DBT PROJECTS": "GRANT USAGE ON DBT PROJECT {of} TO ROLE {role}",
    "LIST": "GRANT USAGE ON STAGE {of} TO ROLE {role}",
}


def remedy_of(what: str, of: str, error: AccountError, scope: Scope) -> str:
    """Return what mends a question that was refused.

    What the error itself tells (a suspended warehouse, too many requests) comes first.
    """
    own = str(error.remedy)
    role, warehouse = scope.names.target.role, scope.names.warehouse
    if "no active warehouse" in error.message.lower():
        return f"GRANT USAGE ON WAREHOUSE {warehouse} TO ROLE {role}"
    if own and not error.is_missing and not error.is_refusal:
        return own.replace("<name>", warehouse).replace("apply again", "ask again")
    grant = _GRANTS.get(what)
    if grant is None or not (error.is_refusal or error.is_missing):
        return own
    table = next(
        (each.table_path for each in scope.pipes if each.path == of), "<table>"
    )
    if what == "COPY_HISTORY":
        of = next((p.path for p in scope.pipes if p.table_path == of), of)
    told = grant.format(of=of or "<object>", role=role, table=table)
    if error.is_missing:
        return f"If it is not there: snowmelt deploy plan. If it is: {told}"
    return told
