"""Can anything be done at all: clocks, the warehouse, its quota, the door to S3."""

from __future__ import annotations

import json
from datetime import datetime

from snowmelt.deploy.diagnosis.check import FAIL, PASS, WARN, Asking, Check
from snowmelt.deploy.harvest.questions import NOW
from snowmelt.deploy.harvest.reading import flag, moment, number, text
from snowmelt.deploy.harvest.scope import Scope
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.integration import StorageAccess
from snowmelt.deploy.snowflake.session import Row

_SKEW_SECONDS_MAX = 60.0
_NEARLY = 0.8


def check_clock(ask: Asking, now: datetime) -> list[Check]:
    """Does the account answer, and are the clocks alike?"""

    def look(rows: list[Row]) -> list[Check]:
        there = moment(rows[0]["now"])
        assert there is not None, "an account knows what time it is"
        skew = (there - now).total_seconds()
        found = f"it answers; its clock differs by {skew:.1f} s"
        if abs(skew) <= _SKEW_SECONDS_MAX:
            return [Check("account", ask.scope.names.target.account, PASS, found, NOW)]
        remedy = "Set this machine's clock: key pairs fail beyond a minute."
        of = ask.scope.names.target.account
        return [Check("account", of, WARN, found, NOW, remedy)]

    return ask("account", ask.scope.names.target.account, NOW, look)


def check_warehouse(ask: Asking) -> list[Check]:
    """Is there compute: is the warehouse there, and does it start when it is asked?"""
    name = ask.scope.names.warehouse
    statement = "SHOW WAREHOUSES"

    def look(rows: list[Row]) -> list[Check]:
        row = next((each for each in rows if each["name"] == name), None)
        if row is None:
            remedy = "snowmelt deploy plan; or GRANT USAGE ON WAREHOUSE " + (
                f"{sql.name(name)} TO ROLE {ask.scope.names.target.role}"
            )
            found = "it is not there, or not to be seen by this role"
            return [Check("warehouse", name, FAIL, found, statement, remedy)]
        state = str(row.get("state") or "unknown")
        if state == "SUSPENDED" and not flag(row.get("auto_resume")):
            remedy = f"ALTER WAREHOUSE {sql.name(name)} RESUME IF SUSPENDED"
            found = "it is suspended, and does not resume by itself"
            return [Check("warehouse", name, FAIL, found, statement, remedy)]
        found = f"{state.lower()}; it resumes by itself"
        return [Check("warehouse", name, PASS, found, statement)]

    return ask("warehouse", name, statement, look)


def check_quota(ask: Asking) -> list[Check]:
    """Has the resource monitor credits left?"""
    if ask.scope.names.target.warehouse.credits_per_month is None:
        return []
    name = f"{ask.scope.names.prefix}_MONITOR"
    statement = "SHOW RESOURCE MONITORS"

    def look(rows: list[Row]) -> list[Check]:
        row = next((each for each in rows if each["name"] == name), None)
        if row is None:
            found = "it is not there, or only ACCOUNTADMIN may see it"
            return [
                Check("quota", name, WARN, found, statement, "snowmelt deploy plan")
            ]
        quota = number(row.get("credit_quota")) or 0.0
        used = number(row.get("used_credits")) or 0.0
        found = f"{used:g} of {quota:g} credits of this month are used"
        if quota and used >= quota:
            remedy = (
                "Raise warehouse: {credits_per_month: …}, then: snowmelt deploy apply"
            )
            return [Check("quota", name, FAIL, found, statement, remedy)]
        level = WARN if quota and used >= quota * _NEARLY else PASS
        remedy = "It suspends the warehouse at 100 %." if level == WARN else ""
        return [Check("quota", name, level, found, statement, remedy)]

    return ask("quota", name, statement, look)


def check_trust(ask: Asking) -> list[Check]:
    """Does the role in AWS let the integration in?"""
    names = ask.scope.names
    statement = StorageAccess(sql.name(names.integration), names.location).question

    def look(rows: list[Row]) -> list[Check]:
        told = json.loads(str(rows[0]["answer"]))
        if str(told.get("status")) == "success":
            found = f"it reads {names.location}"
            return [Check("trust", names.integration, PASS, found, statement)]
        why = text(told.get("message")) or json.dumps(told)
        remedy = (
            f"Compare the trust of role {names.iam_role}: snowmelt deploy access "
            f"--target {names.owner.target}"
        )
        return [Check("trust", names.integration, FAIL, why, statement, remedy)]

    return ask("trust", names.integration, statement, look)


def check_formats(ask: Asking, scope: Scope) -> list[Check]:
    """Are the stage and the file formats that pipes read with there?"""
    found: list[Check] = []
    for pipe in scope.pipes:
        statement = f"DESC FILE FORMAT {pipe.format_path}"

        def look(
            rows: list[Row], path: str = pipe.format_path, statement: str = statement
        ) -> list[Check]:
            told = f"it is there, with {len(rows)} options"
            return [Check("file format", path, PASS, told, statement)]

        found += ask("file format", pipe.format_path, statement, look, "FILE FORMAT")
    return found
