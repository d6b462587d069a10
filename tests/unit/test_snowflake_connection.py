"""The door to the connector: keys, tokens, throttling, and what its errors become."""

from __future__ import annotations

import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from shipped import make_project
from snowmelt.deploy.opening import AccountSession, connect, names_of
from snowmelt.deploy.snowflake.session import AccountError
from snowmelt.errors import ConfigError, UnreachableError
from snowmelt.service.targets.gold import PARAMETERS
from snowmelt.snowflake import TRIES, Connection, Login, RefusedError


class Clock:
    """Time that only waiting moves."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 6, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return sum(self.waits)

    def wait(self, wake: threading.Event, seconds: float) -> bool:
        self.waits.append(seconds)
        return False


class Error(Exception):
    def __init__(self, message: str, errno: int = 0) -> None:
        self.raw_msg = message
        self.errno = errno
        super().__init__(message)


class OperationalError(Error):
    pass


class Driver:
    """Stands for the connector: what it is given, and what it answers, in order."""

    def __init__(self) -> None:
        self.given: dict[str, Any] = {}
        self.answers: list[Any] = []
        self.said: list[str] = []
        self.refuses: Error | None = None

    def connect(self, **given: Any) -> Driver:
        self.given = given
        if self.refuses:
            raise self.refuses
        return self

    def cursor(self) -> Driver:
        return self

    def __enter__(self) -> Driver:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def execute(self, statement: str) -> None:
        self.said.append(statement)
        answer = self.answers.pop(0) if self.answers else []
        if isinstance(answer, Error):
            raise answer
        self.rows = answer

    @property
    def description(self) -> list[tuple[str]]:
        return [("NAME",), ("Size",)]

    def fetchall(self) -> list[tuple[Any, ...]]:
        return list(self.rows)

    def close(self) -> None:
        self.said.append("(closed)")


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    found = Driver()
    module = ModuleType("snowflake.connector")
    errors = SimpleNamespace(Error=Error, OperationalError=OperationalError)
    module.__dict__.update(connect=found.connect, errors=errors)
    package = ModuleType("snowflake")
    package.__dict__.update(connector=module)
    monkeypatch.setitem(sys.modules, "snowflake", package)
    monkeypatch.setitem(sys.modules, "snowflake.connector", module)
    return found


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def written(key: rsa.RSAPrivateKey, path: Path, passphrase: str | None = None) -> Path:
    encryption = (
        serialization.BestAvailableEncryption(passphrase.encode())
        if passphrase
        else serialization.NoEncryption()
    )
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
        )
    )
    return path


def login(**given: Any) -> Login:
    return Login("org-x", "DEPLOYER", "SYSADMIN", **given)


def test_a_key_with_a_passphrase_is_opened_and_shown_nowhere(
    driver: Driver, key: rsa.RSAPrivateKey, tmp_path: Path
) -> None:
    path = written(key, tmp_path / "key.p8", "hunter2")
    given = login(key_path=path, key_passphrase="hunter2")
    Connection(given, Clock())
    assert driver.given["private_key"] == key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    assert driver.given["session_parameters"]["TIMEZONE"] == "UTC"
    assert "hunter2" not in repr(given)


@pytest.mark.parametrize("passphrase", [None, "wrong"])
def test_a_key_that_does_not_open_names_its_file_alone(
    driver: Driver, key: rsa.RSAPrivateKey, tmp_path: Path, passphrase: str | None
) -> None:
    path = written(key, tmp_path / "key.p8", "hunter2")
    with pytest.raises(ConfigError, match="no private key in PEM") as told:
        Connection(login(key_path=path, key_passphrase=passphrase), Clock())
    assert told.value.where == str(path)
    with pytest.raises(ConfigError, match="No such file"):
        Connection(login(key_path=tmp_path / "none"), Clock())
    with pytest.raises(ConfigError, match="does not say how to sign in"):
        Connection(login(), Clock())


def test_a_token_is_handed_over(driver: Driver) -> None:
    Connection(login(token="t0ken"), Clock())
    assert (driver.given["authenticator"], driver.given["token"]) == ("oauth", "t0ken")
    assert "private_key" not in driver.given


def test_a_session_that_asks_for_people_has_limits_and_says_what_it_is_for(
    driver: Driver,
) -> None:
    Connection(login(token="t", parameters=PARAMETERS), Clock())
    limits = driver.given["session_parameters"]
    assert limits["STATEMENT_TIMEOUT_IN_SECONDS"] == 60
    assert limits["STATEMENT_QUEUED_TIMEOUT_IN_SECONDS"] == 60
    assert limits["QUERY_TAG"] == "snowmelt dashboards"
    assert (limits["WEEK_START"], limits["DEFAULT_NULL_ORDERING"]) == (0, "LAST")
    assert (limits["TIMEZONE"], limits["MULTI_STATEMENT_COUNT"]) == ("UTC", 1)
    Connection(login(token="t"), Clock())
    assert "STATEMENT_TIMEOUT_IN_SECONDS" not in driver.given["session_parameters"]


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("JWT token is invalid. [x]", "compare `date -u`"),
        ("Invalid OAuth access token: expired", "Get a new token"),
        ("Role 'X' specified in the connect string is not granted", "GRANT ROLE"),
    ],
)
def test_who_cannot_sign_in_is_told_why(driver: Driver, said: str, remedy: str) -> None:
    driver.refuses = Error(said)
    with pytest.raises(UnreachableError) as told:
        Connection(login(token="t0ken"), Clock())
    assert remedy in told.value.remedy
    assert "t0ken" not in str(told.value)
    assert told.value.exit_code == 4


def test_rows_are_by_name_in_small_letters(driver: Driver) -> None:
    driver.answers = [[("A", 1)]]
    session = AccountSession(Connection(login(token="t"), Clock()))
    assert session.rows("SHOW X") == [{"name": "A", "size": 1}]
    session.close()
    assert driver.said == ["SHOW X", "(closed)"]


def test_what_is_throttled_is_tried_again_with_longer_pauses(driver: Driver) -> None:
    clock = Clock()
    driver.answers = [Error("too many", 429), OperationalError("gone"), [("A", 1)]]
    connection = Connection(login(token="t"), clock)
    assert connection.rows("SHOW X")
    assert clock.waits == [1.0, 2.0]
    driver.answers = [OperationalError("gone")] * TRIES
    with pytest.raises(UnreachableError, match="gone"):
        connection.rows("SHOW X")
    driver.answers = [Error("too many", 429)] * TRIES
    with pytest.raises(RefusedError):
        connection.rows("SHOW X")


def test_a_refused_statement_names_statement_error_and_grant(driver: Driver) -> None:
    driver.answers = [Error("SQL access control error:\nInsufficient privileges", 3001)]
    session = AccountSession(Connection(login(token="t"), Clock()))
    with pytest.raises(AccountError) as told:
        session.rows("CREATE ROLE IF NOT EXISTS R")
    assert told.value.where == "CREATE ROLE IF NOT EXISTS R"
    assert "003001: SQL access control error: Insufficient" in told.value.problem
    assert told.value.remedy == "GRANT CREATE ROLE ON ACCOUNT TO ROLE SYSADMIN"


def test_what_the_environment_lacks_is_told_with_its_line(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project = make_project(tmp_path)
    names = names_of(project, "prod")
    monkeypatch.delenv("SHOP_KEY", raising=False)
    with pytest.raises(ConfigError, match="the environment has no SHOP_KEY") as told:
        connect(project, names, Clock())
    lines = (tmp_path / "snowmelt.yml").read_text().splitlines()
    line = lines.index("    key_path: ${SHOP_KEY}") + 1
    assert told.value.where == f"snowmelt.yml:{line}: targets.prod.key_path"
    assert "plan --offline" in told.value.remedy
    monkeypatch.setenv("SHOP_KEY", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="No such file"):
        connect(project, names, Clock())


def test_without_the_connector_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "snowflake.connector", None)
    with pytest.raises(ConfigError, match=r"snowmelt\[snowflake\]"):
        Connection(login(token="t"), Clock())
