"""The command that mends what an account told a run. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from snowmelt.deploy.snowflake.access import BUILDS, BUILDS_SCHEMAS
from snowmelt.deploy.snowflake.session import remedy

_PRIVILEGE = re.compile(
    r"nsufficient privileges to operate on (?P<kind>[\w ]+?) '(?P<name>[^']+)'"
)
_MISSING = re.compile(
    r"(?P<kind>Object|Schema|Database|Table|Stream|Warehouse|Role) '(?P<name>[^']+)' "
    r"does not exist or not authorized"
)
_NEEDED = {
    "DATABASE": BUILDS_SCHEMAS,
    "SCHEMA": BUILDS,
    "TABLE": ("SELECT",),
    "VIEW": ("SELECT",),
    "STREAM": ("SELECT",),
    "WAREHOUSE": ("USAGE", "OPERATE"),
}
_NO_WAREHOUSE = ("no active warehouse", "cannot be resumed", "is suspended")


@dataclass(frozen=True)
class Around:
    """What a remedy names."""

    target: str
    role: str
    warehouse: str
    user: str


def remedy_of(message: str, around: Around) -> str:
    """Return the way out of an error of the account; empty for one of the models."""
    said = message.lower()
    asked = _PRIVILEGE.search(message)
    if asked is not None:
        kind, name = asked["kind"].upper(), asked["name"]
        lacking = ", ".join(_NEEDED.get(kind, ("USAGE",)))
        return (
            f"GRANT {lacking} ON {kind} {name} TO ROLE {around.role}, or let the "
            "role that deployed run it: role: in the target"
        )
    if "quota" in said and "resource monitor" in said:
        return (
            "Its credits are used up: raise warehouse.credits_per_month in the target, "
            f"then: snowmelt deploy apply --target {around.target}"
        )
    if "warehouse" in said and any(each in said for each in _NO_WAREHOUSE):
        return f"ALTER WAREHOUSE {around.warehouse} RESUME IF SUSPENDED"
    missing = _MISSING.search(message)
    if missing is not None:
        return (
            f"It is not there, or {around.role} may not see it: "
            f"snowmelt deploy apply --target {around.target}"
        )
    if "jwt token is invalid" in said:
        return (
            "The key is not the user's, or the clocks differ: ALTER USER "
            f"{around.user} SET RSA_PUBLIC_KEY = '…'; DESC USER {around.user} shows "
            "RSA_PUBLIC_KEY_FP"
        )
    return remedy("", message)
