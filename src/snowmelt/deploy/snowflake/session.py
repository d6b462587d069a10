"""The port to an account: a statement in, rows out; and what its errors ask for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

from snowmelt.errors import SnowmeltError

Row: TypeAlias = Mapping[str, Any]


class Session(Protocol):
    """One connection to an account."""

    def rows(self, statement: str) -> list[Row]:
        """Carry out one statement; column names are in small letters.

        Raises AccountError for what the account refuses, UnreachableError when it does
        not answer.
        """


class AccountError(SnowmeltError):
    """The account refused a statement."""

    def __init__(self, statement: str, number: int, message: str) -> None:
        self.statement = statement
        self.number = number
        self.message = " ".join(message.split())
        shown = " ".join(statement.split())
        shown = shown if len(shown) <= _SHOWN_MAX else f"{shown[:_SHOWN_MAX]}…"
        told = f"{number:06d}: {self.message}" if number else self.message
        super().__init__(shown, told, remedy(statement, self.message))

    @property
    def is_missing(self) -> bool:
        """Is something not there, or not to be seen by this role?"""
        return "does not exist" in self.message

    @property
    def is_refusal(self) -> bool:
        """Does this role lack a privilege?"""
        return (
            "nsufficient privileges" in self.message
            or _DENIED.search(self.message) is not None
        )


_SHOWN_MAX = 160
_DENIED = re.compile(r"not authorized to|access control error", re.IGNORECASE)
_ON_ACCOUNT = {
    "WAREHOUSE": "CREATE WAREHOUSE",
    "DATABASE": "CREATE DATABASE",
    "ROLE": "CREATE ROLE",
    "STORAGE INTEGRATION": "CREATE INTEGRATION",
    "NOTIFICATION INTEGRATION": "CREATE INTEGRATION",
}
_NOUNS = (
    *_ON_ACCOUNT,
    *("RESOURCE MONITOR", "SCHEMA", "TABLE", "VIEW", "STAGE", "FILE FORMAT", "PIPE"),
    *("STREAM", "TASK", "PROCEDURE", "ALERT", "MASKING POLICY", "ROW ACCESS POLICY"),
)
_PATH = r"(?:\"[^\"]+\"|[\w$]+)(?:\.(?:\"[^\"]+\"|[\w$]+))*"
_EXECUTES = re.compile(r"EXECUTE (?:MANAGED )?(?:TASK|ALERT)")
_MADE = re.compile(
    rf"CREATE (?:OR (?:ALTER|REPLACE) )?(?P<noun>{'|'.join(_NOUNS)}) "
    rf"(?:IF NOT EXISTS )?(?P<name>{_PATH})"
)


def remedy(statement: str, message: str) -> str:
    """Return the grant or the command that mends an error of the account."""
    asked = _EXECUTES.search(message)
    if asked is not None:
        return f"GRANT {asked[0]} ON ACCOUNT TO ROLE <deploying role>"
    if "nsufficient privileges" in message:
        return _grant(statement)
    return _command(message.lower())


def _command(said: str) -> str:
    if "suspended" in said and "warehouse" in said:
        return (
            "Let the warehouse run: ALTER WAREHOUSE <name> RESUME IF SUSPENDED; if its "
            "resource monitor suspended it, raise warehouse.credits_per_month."
        )
    if "already has a row_access_policy" in said:
        return (
            "A table has one: take the other off (ALTER TABLE … DROP ROW ACCESS POLICY "
            "…), or leave row_access: out of the contract."
        )
    if "already exists" in said:
        return "Choose another prefix: in the target, or drop what is there by hand."
    if "jwt token is invalid" in said:
        return (
            "Compare the clock of this machine, and the key that the user has: "
            "DESC USER <user> shows RSA_PUBLIC_KEY_FP."
        )
    if "token" in said and "expired" in said:
        return "Get a new token and set the variable that the target's token: names."
    if "does not exist" in said:
        return (
            "It is not there, or this role may not see it: name the deploying role in "
            "the target (role:), or grant it USAGE on what it is in."
        )
    if "too many" in said or "throttl" in said:
        return "Wait a little and apply again: it goes on where it stopped."
    return ""


def _grant(statement: str) -> str:
    """Return the grant that a statement lacks, as far as it can be told from it."""
    squeezed = " ".join(statement.split())
    made = _MADE.match(squeezed)
    if made is None:
        return (
            "Grant the deploying role the privilege, or let it own the object: GRANT "
            "OWNERSHIP ON … TO ROLE <role> COPY CURRENT GRANTS"
        )
    noun = made["noun"]
    if noun == "RESOURCE MONITOR":
        return "Only ACCOUNTADMIN makes resource monitors: name it in role:."
    if noun in _ON_ACCOUNT:
        return f"GRANT {_ON_ACCOUNT[noun]} ON ACCOUNT TO ROLE <deploying role>"
    inside = made["name"].rpartition(".")[0]
    where = "DATABASE" if noun == "SCHEMA" else "SCHEMA"
    return f"GRANT CREATE {noun} ON {where} {inside} TO ROLE <deploying role>"
