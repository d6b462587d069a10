"""Can the account run dbt: the project, and the dbt that it is to run with."""

from __future__ import annotations

import json

from snowmelt.deploy.diagnosis.check import FAIL, PASS, WARN, Asking, Check
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.session import Row

_VERSIONS = "SELECT SYSTEM$SUPPORTED_DBT_VERSIONS() AS VERSIONS"


def check_dbt(ask: Asking) -> list[Check]:
    """Is the DBT PROJECT there, and does the account have the dbt of the target?

    https://docs.snowflake.com/en/sql-reference/functions/system_supported_dbt_versions
    """
    if not ask.scope.dbt_project:
        return []
    return [*_project(ask), *_version(ask)]


def _project(ask: Asking) -> list[Check]:
    name = ask.scope.dbt_project
    statement = f"SHOW DBT PROJECTS IN DATABASE {ask.scope.database}"

    def look(rows: list[Row]) -> list[Check]:
        there = {
            sql.path_as_kept(each["database_name"], each["schema_name"], each["name"])
            for each in rows
        }
        if name in there:
            return [Check("dbt project", name, PASS, "it is there", statement)]
        told = "it is not there, and tasks run it"
        remedy = f"snowmelt deploy apply --target {ask.scope.names.owner.target}"
        return [Check("dbt project", name, FAIL, told, statement, remedy)]

    return ask("dbt project", name, statement, look, "SHOW DBT PROJECTS")


def _version(ask: Asking) -> list[Check]:
    wanted = ask.scope.names.target.dbt_version

    def look(rows: list[Row]) -> list[Check]:
        known = _known(rows)
        if wanted in known:
            return [Check("dbt", wanted, PASS, "the account has it", _VERSIONS)]
        if not known:
            told = "the account does not tell which versions it has"
            return [Check("dbt", wanted, WARN, told, _VERSIONS)]
        told = f"the account has {', '.join(known)}"
        remedy = "Write one of them, 1.11 or later, as dbt_version: of the target, and "
        remedy += f"snowmelt deploy apply --target {ask.scope.names.owner.target}"
        return [Check("dbt", wanted, FAIL, told, _VERSIONS, remedy)]

    return ask("dbt", wanted, _VERSIONS, look)


def _known(rows: list[Row]) -> list[str]:
    try:
        told = json.loads(str(rows[0]["versions"]))
        return [str(each["dbt_version"]) for each in told]
    except (ValueError, LookupError, TypeError):
        return []
