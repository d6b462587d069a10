"""The one door to Snowflake's connector.

It is imported when an account is used, not before. Only what the DB-API knows is used,
so that a later connector fits. Keys and tokens come from the environment, are handed to
the connector and never written anywhere.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snowmelt.clock import Clock
from snowmelt.errors import ConfigError, UnreachableError

NOT_INSTALLED = "Snowflake needs packages that are not installed"
_SHOWN_MAX = 160
_UNANSWERED = "It did not answer, several times: look at the network, and apply again."
INSTALL = "Install what it needs: pip install 'snowmelt[snowflake]'"
TRIES = 6
_FIRST_PAUSE_SECONDS = 1.0
_BUSY = frozenset({429, 503, 390114, 250001, 604})
"""Numbers of errors after which the same statement may go through."""


class RefusedError(Exception):
    """The account refused a statement: its number, and what it says."""

    def __init__(self, number: int, message: str) -> None:
        self.number = number
        self.message = message
        super().__init__(number, message)


@dataclass(frozen=True)
class Login:
    """Who connects to what. Exactly one of key and token is there."""

    account: str
    user: str
    role: str
    warehouse: str | None = None
    host: str | None = None
    key_path: Path | None = None
    key_passphrase: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    parameters: Mapping[str, object] = field(default_factory=dict)
    """Of the session, beside those that every session of ours has, or instead."""

    def arguments(self) -> dict[str, Any]:
        """Return what the connector is given. Raises ConfigError for a bad key."""
        given: dict[str, Any] = {
            "account": self.account,
            "user": self.user,
            "role": self.role,
            "application": "snowmelt",
            "login_timeout": 30,
            "network_timeout": 120,
            "session_parameters": {
                "QUERY_TAG": "snowmelt deploy",
                "TIMEZONE": "UTC",
                "MULTI_STATEMENT_COUNT": 1,
                "CLIENT_TELEMETRY_ENABLED": False,
                # a warehouse that is full or suspended is told of, not waited for
                "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS": 300,
                **self.parameters,
            },
        }
        if self.host:
            given["host"] = self.host
        if self.warehouse:
            given["warehouse"] = self.warehouse
        if self.token is not None:
            return given | {"authenticator": "oauth", "token": self.token}
        return given | {"private_key": _private_key(self)}


class Connection:
    """One session with an account. Statements that were throttled are tried again."""

    def __init__(self, login: Login, clock: Clock) -> None:
        try:
            import snowflake.connector as connector
        except ImportError:
            raise ConfigError("targets", NOT_INSTALLED, INSTALL) from None
        self._errors = connector.errors
        self.role = login.role
        self._clock = clock
        try:
            self._connection = connector.connect(**login.arguments())
        except connector.errors.Error as error:
            raise UnreachableError(
                f"{login.account}: {login.user}",
                _said(error),
                _sign_in_remedy(login, error),
            ) from None

    def rows(self, statement: str) -> list[Mapping[str, Any]]:
        """Carry out one statement; return rows by column names in small letters.

        Raises RefusedError, and UnreachableError when the account does not answer.
        """
        pause = _FIRST_PAUSE_SECONDS
        for attempt in range(1, TRIES + 1):
            try:
                return self._once(statement)
            except self._errors.OperationalError as error:
                if attempt == TRIES:
                    shown = " ".join(statement.split())[:_SHOWN_MAX]
                    raise UnreachableError(
                        f"Snowflake: {shown}", _said(error), _UNANSWERED
                    ) from None
            except self._errors.Error as error:
                if error.errno not in _BUSY or attempt == TRIES:
                    raise RefusedError(error.errno or 0, _said(error)) from None
            self._clock.wait(threading.Event(), pause)
            pause *= 2
        raise AssertionError("the last try returns or raises")

    def _once(self, statement: str) -> list[Mapping[str, Any]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)
            names = [column[0].lower() for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def close(self) -> None:
        """End the session."""
        self._connection.close()


def _private_key(login: Login) -> bytes:
    """Read the private key. Raises ConfigError that names its file alone."""
    if login.key_path is None:
        raise ConfigError(
            "targets",
            "it does not say how to sign in",
            "Write key_path: ${NAME} for a key pair, or token: ${NAME} for OAuth.",
        )
    from cryptography.hazmat.primitives import serialization

    passphrase = login.key_passphrase.encode() if login.key_passphrase else None
    try:
        content = login.key_path.read_bytes()
        key = serialization.load_pem_private_key(content, passphrase)
    except OSError as error:
        raise ConfigError(str(login.key_path), f"{error.strerror}") from None
    except (TypeError, ValueError):
        raise ConfigError(
            str(login.key_path),
            "this is no private key in PEM, or the passphrase does not open it",
            "Compare key_path and key_passphrase of the target.",
        ) from None
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _said(error: Any) -> str:
    text = str(getattr(error, "raw_msg", None) or getattr(error, "msg", None) or error)
    return " ".join(text.split())


def _sign_in_remedy(login: Login, error: Any) -> str:
    said = _said(error).lower()
    for words, remedy in _SIGN_IN:
        if any(word in said for word in words):
            return remedy.format(user=login.user, role=login.role)
    return "Compare account, user and role of the target."


_SIGN_IN = (
    (
        ("jwt",),
        "The key is not the user's, or the clocks differ by more than a minute: "
        "compare `date -u`, and RSA_PUBLIC_KEY_FP of DESC USER {user}.",
    ),
    (
        ("404", "account name", "not found"),
        "There is no such account, or it is in another region: account: is "
        "ORGANISATION-ACCOUNT, as SELECT CURRENT_ORGANIZATION_NAME() || '-' || "
        "CURRENT_ACCOUNT_NAME() tells.",
    ),
    (
        ("not allowed to access snowflake", "network policy"),
        "A network policy keeps this address out: an administrator adds it to the "
        "ALLOWED_IP_LIST.",
    ),
    (
        ("locked", "disabled"),
        "An administrator lets the user in again: ALTER USER {user} SET DISABLED = "
        "FALSE, MINS_TO_UNLOCK = 0",
    ),
    (
        ("expired", "oauth"),
        "Get a new token, and set the variable that token: names.",
    ),
    (
        ("could not connect", "failed to connect"),
        "Is the network there? The host is ACCOUNT.snowflakecomputing.com.",
    ),
    (("role",), "Grant the role to the user: GRANT ROLE {role} TO USER {user}"),
)


def let_sessions_be_in_utc() -> None:
    """Give all sessions that this process opens a zone that is none of the account's.

    For a process that runs dbt. What `current_date` is, and which day a moment is of,
    hangs on a session's TIMEZONE, which is America/Los_Angeles until somebody says
    otherwise (https://docs.snowflake.com/en/sql-reference/parameters#timezone). dbt's
    profile has no word for it (https://github.com/dbt-labs/dbt-adapters/issues/1642),
    and a hook at the start of a run is one session's, of one for each thread.
    """
    import snowflake.connector as connector

    connect = connector.connect

    def connect_in_utc(**given: Any) -> Any:
        own = given.get("session_parameters") or {}
        return connect(**given | {"session_parameters": {"TIMEZONE": "UTC"} | own})

    vars(connector)["connect"] = connect_in_utc
