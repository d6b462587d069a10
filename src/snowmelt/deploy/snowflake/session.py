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


DEPLOYING = "<deploying role>"


class AccountError(SnowmeltError):
    """The account refused a statement."""

    def __init__(
        self, statement: str, number: int, message: str, role: str = DEPLOYING
    ) -> None:
        self.statement = statement
        self.number = number
        self.message = " ".join(message.split())
        shown = " ".join(statement.split())
        shown = shown if len(shown) <= _SHOWN_MAX else f"{shown[:_SHOWN_MAX]}…"
        told = f"{number:06d}: {self.message}" if number else self.message
        super().__init__(shown, told, remedy(statement, self.message, role))

    @property
    def is_missing(self) -> bool:
        """Is something not there, or not to be seen by this role?"""
        return "does not exist" in self.message

    @property
    def is_of_another_edition(self) -> bool:
        """Does the account's edition not know this kind?"""
        return "nsupported feature" in self.message

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
    "DBT PROJECT",
)
_PATH = r"(?:\"[^\"]+\"|[\w$]+)(?:\.(?:\"[^\"]+\"|[\w$]+))*"
_EXECUTES = re.compile(r"EXECUTE (?:MANAGED )?(?:TASK|ALERT)")
_MADE = re.compile(
    rf"CREATE (?:OR (?:ALTER|REPLACE) )?(?:TEMPORARY )?(?P<noun>{'|'.join(_NOUNS)}) "
    rf"(?:IF NOT EXISTS )?(?P<name>{_PATH})"
)


_GRANTING = re.compile(r"(?:GRANT|REVOKE) ")
_ALTERED = re.compile(
    rf"(?:ALTER|DROP|COMMENT ON) (?P<noun>{'|'.join(_NOUNS)}|INTEGRATION) "
    rf"(?:IF EXISTS )?(?P<name>{_PATH})"
)
_READ = re.compile(
    rf"DESC(?:RIBE)? (?P<noun>{'|'.join(_NOUNS)}|INTEGRATION) (?P<name>{_PATH})"
)
_READS = {"TABLE": "SELECT", "VIEW": "SELECT", "INTEGRATION": "USAGE"}
_PIPE = re.compile(r"SYSTEM\$PIPE_STATUS\('(?P<name>[^']+)'\)")
_ASKS_STAGE = re.compile(rf"SELECT .* FROM '@(?P<name>{_PATH})")
_COPIES = re.compile(rf"(?:COPY INTO|SELECT .* FROM) (?P<name>{_PATH})")


def remedy(statement: str, message: str, role: str = DEPLOYING) -> str:
    """Return the grant or the command that mends an error of the account."""
    asked = _EXECUTES.search(message)
    if asked is not None:
        return f"GRANT {asked[0]} ON ACCOUNT TO ROLE {role}"
    if "nsufficient privileges" in message:
        return _grant(" ".join(statement.split()), role)
    return _command(message.lower(), role)


def _command(said: str, role: str) -> str:
    for words, remedy in _COMMANDS:
        if all(word in said for word in words):
            return remedy.format(role=role)
    return ""


_WAREHOUSE = (
    "Let the warehouse run: ALTER WAREHOUSE <name> RESUME IF SUSPENDED; if its "
    "resource monitor suspended it, raise warehouse.credits_per_month."
)
_PATIENCE = "Wait a little and apply again: it goes on where it stopped."
_COMMANDS = (
    (
        ("email recipients", "not allowed"),
        "Each address has to be that of a user of this account who verified it: ALTER "
        "USER <user> SET EMAIL = '<address>'; SELECT "
        "SYSTEM$START_USER_EMAIL_VERIFICATION('<user>'), and the link in that mail. Or "
        "leave it out of the sink: alerts.sinks in snowmelt.yml.",
    ),
    (
        ("snowflake.alert",),
        "GRANT DATABASE ROLE SNOWFLAKE.ALERT_VIEWER TO ROLE {role}: alerts ask when "
        "they last looked.",
    ),
    (("suspended", "warehouse"), _WAREHOUSE),
    (("exceeded its quota",), _WAREHOUSE),
    (
        ("no active warehouse",),
        "GRANT USAGE ON WAREHOUSE <name> TO ROLE {role}: it may not use the warehouse, "
        "or it is not there yet.",
    ),
    (
        ("already has a row_access_policy",),
        "A table has one: take the other off (ALTER TABLE … DROP ROW ACCESS POLICY …), "
        "or leave row_access: out of the contract.",
    ),
    (
        ("already exists",),
        "Choose another prefix: in the target, or drop what is there by hand.",
    ),
    (
        ("jwt token is invalid",),
        "Compare the clock of this machine, and the key that the user has: DESC USER "
        "<user> shows RSA_PUBLIC_KEY_FP.",
    ),
    (
        ("token", "expired"),
        "Get a new token and set the variable that the target's token: names.",
    ),
    (
        ("does not exist",),
        "It is not there, or this role may not see it: name the deploying role in the "
        "target (role:), or GRANT USAGE on what it is in TO ROLE {role}.",
    ),
    (
        ("unsupported feature",),
        "The account's edition does not have it: policies need the Enterprise Edition. "
        "Leave pii: and row_access: out of the contracts, or change the edition.",
    ),
    (("too many",), _PATIENCE),
    (("throttl",), _PATIENCE),
    (
        ("cancelled by the client",),
        "It took longer than a statement is waited for, which is half an hour where "
        "something is done, and three minutes where something is asked: take a larger "
        "warehouse (size: of the target).",
    ),
    (
        ("timeout",),
        "It took longer than the account lets statements take: apply again, or raise "
        "STATEMENT_TIMEOUT_IN_SECONDS of the warehouse.",
    ),
)


def _grant(squeezed: str, role: str) -> str:
    """Return the grant that a statement lacks, as far as it can be told from it."""
    made = _MADE.match(squeezed)
    if made is not None:
        return _grant_to_make(made["noun"], made["name"], role)
    if _GRANTING.match(squeezed):
        return f"GRANT MANAGE GRANTS ON ACCOUNT TO ROLE {role}"
    altered = _ALTERED.match(squeezed)
    if altered is not None:
        what = f"{altered['noun']} {altered['name']}"
        return f"GRANT OWNERSHIP ON {what} TO ROLE {role} COPY CURRENT GRANTS"
    return _grant_to_look(squeezed, role)


def _grant_to_make(noun: str, name: str, role: str) -> str:
    if noun == "RESOURCE MONITOR":
        return "Only ACCOUNTADMIN makes resource monitors: name it in role:."
    if noun in _ON_ACCOUNT:
        return f"GRANT {_ON_ACCOUNT[noun]} ON ACCOUNT TO ROLE {role}"
    inside = name.rpartition(".")[0]
    where = "DATABASE" if noun == "SCHEMA" else "SCHEMA"
    return f"GRANT CREATE {noun} ON {where} {inside} TO ROLE {role}"


def _grant_to_look(squeezed: str, role: str) -> str:
    read = _READ.match(squeezed)
    if read is not None:
        noun, name = read["noun"], read["name"]
        return f"GRANT {_READS.get(noun, 'OWNERSHIP')} ON {noun} {name} TO ROLE {role}"
    pipe = _PIPE.search(squeezed)
    if pipe is not None:
        return f"GRANT MONITOR ON PIPE {pipe['name']} TO ROLE {role}"
    stage = _ASKS_STAGE.match(squeezed)
    if stage is not None:
        return f"GRANT USAGE ON STAGE {stage['name']} TO ROLE {role}"
    copies = _COPIES.match(squeezed)
    if copies is not None:
        verb = "INSERT" if squeezed.startswith("COPY") else "SELECT"
        return f"GRANT {verb} ON TABLE {copies['name']} TO ROLE {role}"
    return (
        "Grant the deploying role the privilege, or let it own the object: GRANT "
        f"OWNERSHIP ON … TO ROLE {role} COPY CURRENT GRANTS"
    )
