"""The one door to Snowflake's connector.

It is imported when an account is used, not before. Only what the DB-API knows is used,
so that a later connector fits. Keys and tokens come from the environment, are handed to
the connector and never written anywhere.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from contextlib import suppress
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
_BUSY = frozenset({429, 503, 250001})
"""Numbers of errors after which the same statement may go through. One that was
cancelled (604) is not among them: whoever did that, a person or the connector because
it took too long, does not want it sent again."""
_LOST = frozenset({250002, 390104, *range(390111, 390116)})
"""Numbers that say that a session is over: it was closed, there is none, or what it is
renewed by has expired, which is after four hours in which nothing was asked.
No statement goes through on it any more
(https://github.com/snowflakedb/snowflake-connector-python/issues/218; the numbers are
those of the connector's network.py, and of sessions that an administrator ended)."""
_QUESTION = re.compile(r"\s*(?:SELECT|WITH|SHOW|DESC|DESCRIBE|LIST|USE)\b", re.I)
_BEGINS = re.compile(r"\s*BEGIN(?: TRANSACTION)?\s*;?\s*", re.I)
_ENDS = re.compile(r"\s*(?:COMMIT|ROLLBACK)\s*;?\s*", re.I)
_ACTS = re.compile(
    r"\bSYSTEM\$(?!PIPE_STATUS\b|STREAM_HAS_DATA\b|SUPPORTED_DBT_VERSIONS\b|"
    r"GET_AWS_SNS_IAM_POLICY\b|VALIDATE_STORAGE_INTEGRATION\b)|"
    r"\b(?:RESULT_SCAN|LAST_QUERY_ID|NEXTVAL)\b",
    re.I,
)
"""What a SELECT does beside answering, or knows of its session alone."""
_ONCE = (
    "It is not known whether this was carried out, so it is not sent again by itself. "
    "Give the same command again: it goes on where it stopped."
)
_ROLLED_BACK = "Its transaction is rolled back. Give the same command again."


class RefusedError(Exception):
    """The account refused a statement: its number, and what it says."""

    def __init__(self, number: int, message: str) -> None:
        self.number = number
        self.message = message
        super().__init__(number, message)


class _LostError(UnreachableError):
    """The session is over."""


@dataclass(frozen=True)
class Patience:
    """How long a session goes on while the network does not answer.

    `network_seconds` is also how long a statement may take before the connector has it
    cancelled (its cursor.py): a COPY of many files, or a digest of a large table, has
    to end within it.
    """

    tries: int = TRIES
    login_seconds: int = 30
    network_seconds: int = 1800


PATIENT = Patience()
PROMPT = Patience(tries=3, network_seconds=180)
"""Of who only asks how things are, and tells when nobody answers."""


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
    patience: Patience = PATIENT

    def arguments(self) -> dict[str, Any]:
        """Return what the connector is given. Raises ConfigError for a bad key."""
        given: dict[str, Any] = {
            "account": self.account,
            "user": self.user,
            "role": self.role,
            "application": "snowmelt",
            "login_timeout": self.patience.login_seconds,
            "network_timeout": self.patience.network_seconds,
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
    """One session with an account. Statements that were throttled are tried again.

    A session that is over is replaced by another one. A question is asked once more on
    that; what may have been carried out is not, nor what belongs to a transaction,
    which ended with its session.
    """

    def __init__(self, login: Login, clock: Clock) -> None:
        try:
            import snowflake.connector as connector
        except ImportError:
            raise ConfigError("targets", NOT_INSTALLED, INSTALL) from None
        self._connector = connector
        self._errors = connector.errors
        self.role = login.role
        self._login = login
        self._clock = clock
        self._opening = threading.Lock()
        self._connection: Any = None
        self._in_transaction = False
        self._opened()

    def rows(self, statement: str) -> list[Mapping[str, Any]]:
        """Carry out one statement; return rows by column names in small letters.

        Raises RefusedError, and UnreachableError when the account does not answer.
        """
        connection = self._opened()
        try:
            found = self._tried(connection, statement)
        except _LostError as lost:
            was_in, self._in_transaction = self._in_transaction, False
            self._drop(connection)
            if was_in or not may_repeat(statement):
                is_undone = was_in and not _ENDS.fullmatch(statement)
                lost.remedy = _ROLLED_BACK if is_undone else _ONCE
                raise
            found = self._tried(self._opened(), statement)
        if _BEGINS.fullmatch(statement) or _ENDS.fullmatch(statement):
            self._in_transaction = _BEGINS.fullmatch(statement) is not None
        return found

    def _opened(self) -> Any:
        """Return the session, signed in to when there is none."""
        with self._opening:
            if self._connection is None:
                login, errors = self._login, self._errors
                try:
                    self._connection = self._connector.connect(**login.arguments())
                except errors.Error as error:
                    raise UnreachableError(
                        f"{login.account}: {login.user}",
                        _said(error),
                        _sign_in_remedy(login, error),
                    ) from None
            return self._connection

    def _drop(self, connection: Any) -> None:
        """Let go of a session that is over, unless another thread did."""
        with self._opening:
            if self._connection is connection:
                self._connection = None
        with suppress(self._errors.Error):
            connection.close()

    def _tried(self, connection: Any, statement: str) -> list[Mapping[str, Any]]:
        pause, patience = _FIRST_PAUSE_SECONDS, self._login.patience
        give_up_at = self._clock.monotonic() + patience.network_seconds
        for attempt in range(1, patience.tries + 1):
            try:
                return _once(connection, statement)
            except self._errors.Error as error:
                is_late = self._clock.monotonic() >= give_up_at
                is_last = is_late or attempt == patience.tries
                self._require_hope(error, statement, is_last=is_last)
            self._clock.wait(threading.Event(), pause)
            pause *= 2
        raise AssertionError("the last try returns or raises")

    def _require_hope(self, error: Any, statement: str, *, is_last: bool) -> None:
        """Raise what an error is, unless the same statement may go through."""
        where = f"Snowflake: {' '.join(statement.split())[:_SHOWN_MAX]}"
        if error.errno in _LOST:
            told = f"the session is over: {error.errno}: {_said(error)}"
            raise _LostError(where, told, _UNANSWERED) from None
        is_unanswered = isinstance(error, self._errors.OperationalError)
        if not is_unanswered and (is_last or error.errno not in _BUSY):
            raise RefusedError(error.errno or 0, _said(error)) from None
        if is_last:
            raise UnreachableError(where, _said(error), _UNANSWERED) from None

    def close(self) -> None:
        """End the session."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _once(connection: Any, statement: str) -> list[Mapping[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        names = [column[0].lower() for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def may_repeat(statement: str) -> bool:
    """Does it matter nothing how often a statement is carried out?"""
    if _BEGINS.fullmatch(statement):
        return True
    return _QUESTION.match(statement) is not None and not _ACTS.search(statement)


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
