"""Is a day there the day that it is here: in which time zone are sessions?"""

from __future__ import annotations

from snowmelt.deploy.diagnosis.check import FAIL, PASS, WARN, Asking, Check
from snowmelt.deploy.harvest.reading import text
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.session import Row

_UTC = frozenset(("UTC", "ETC/UTC", "UCT", "ETC/UCT", "GMT", "ETC/GMT", "ZULU"))
_OF_ACCOUNT = (
    "tasks, alerts and pipes there take a day, and a moment without a zone, to be of "
    "that zone; here it is UTC"
)
_OF_USER = "dbt by hand takes current_date to be of that zone; runs of ours are UTC"
_WRITTEN = "CONVERT_TIMEZONE('UTC', CURRENT_TIMESTAMP())::DATE"


def check_zone(ask: Asking) -> list[Check]:
    """Which TIMEZONE has the account, and did somebody give the user another one?

    It is America/Los_Angeles until somebody says otherwise
    (https://docs.snowflake.com/en/sql-reference/parameters#timezone).
    """
    user = sql.name(ask.scope.names.target.user)
    return [*_of(ask, "ACCOUNT", ""), *_of(ask, "USER", user)]


def _of(ask: Asking, level: str, name: str) -> list[Check]:
    whose = f"{level} {name}".strip()
    of = f"TIMEZONE of {whose}"
    statement = f"SHOW PARAMETERS LIKE 'TIMEZONE' IN {whose}"

    def look(rows: list[Row]) -> list[Check]:
        zone = next((text(row.get("value")) for row in rows), None)
        is_own = level == "ACCOUNT" or any(row.get("level") == level for row in rows)
        if zone is None or not is_own:
            return []
        if zone.upper() in _UTC:
            return [Check("time zone", of, PASS, f"{zone}, as here", statement)]
        found = f"{zone}: {_OF_ACCOUNT if level == 'ACCOUNT' else _OF_USER}"
        remedy = f"ALTER {whose} SET TIMEZONE = 'UTC'"
        if level == "ACCOUNT":
            remedy += f"; where others need it as it is, write {_WRITTEN}"
        return [Check("time zone", of, WARN, found, statement, remedy)]

    found = ask("time zone", of, statement, look)
    # who may not be told can be right all the same
    return [
        Check(each.name, each.object, WARN, each.found, each.statement, each.remedy)
        if each.level == FAIL
        else each
        for each in found
    ]
