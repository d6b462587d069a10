"""The door to the connector: keys, tokens, throttling, and what its errors become."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from shipped import make_project
from snowmelt.deploy.opening import AccountSession, connect, names_of
from snowmelt.deploy.snowflake.session import AccountError
from snowmelt.errors import ConfigError, UnreachableError
from snowmelt.service.targets.gold import PARAMETERS, PATIENCE, STATEMENT_SECONDS
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


LOST = (250002, 390104, 390111, 390112, 390113, 390114, 390115)


@pytest.mark.parametrize("number", LOST)
@pytest.mark.parametrize(
    "question",
    [
        "SHOW PIPES",
        "DESC TABLE X",
        "LIST @S",
        "USE WAREHOUSE W",
        "WITH X AS (SELECT 1) SELECT * FROM X",
        "SELECT SYSTEM$PIPE_STATUS('P') AS STATUS",
        "SELECT * FROM TABLE(SHOP.INFORMATION_SCHEMA.COPY_HISTORY(TABLE_NAME => 'X'))",
    ],
)
def test_a_session_that_is_over_is_replaced_and_the_question_asked_once_more(
    driver: Driver, number: int, question: str
) -> None:
    """It is over after four hours in which nothing was asked."""
    clock = Clock()
    connection = Connection(login(token="t"), clock)
    driver.answers = [Error("Authentication token has expired.", number), [("A", 1)]]
    assert connection.rows(question) == [{"name": "A", "size": 1}]
    assert driver.said == [question, "(closed)", question]
    assert clock.waits == [], "a session that is over does not come back"
    driver.answers = [Error("Authentication token has expired.", number)] * 2
    with pytest.raises(UnreachableError, match=f"the session is over: {number}: Auth"):
        connection.rows(question)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO LOG SELECT 1",
        "COPY INTO T FROM @S",
        "COMMIT",
        "CREATE OR REPLACE PIPE P AS COPY INTO T FROM @S",
        "EXECUTE TASK T",
        "BEGIN\n  INSERT INTO T SELECT 1;\nEND",
        "SELECT SYSTEM$TASK_DEPENDENTS_ENABLE('T')",
        "SELECT SYSTEM$PIPE_FORCE_RESUME('P')",
        "SELECT * FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()))",
    ],
)
def test_what_may_have_been_carried_out_is_not_sent_again(
    driver: Driver, statement: str
) -> None:
    connection = Connection(login(token="t"), Clock())
    driver.answers = [Error("Session no longer exists.", 390111)]
    with pytest.raises(UnreachableError) as told:
        connection.rows(statement)
    assert "not known whether this was carried out" in told.value.remedy
    assert driver.said == [statement, "(closed)"]
    connection.rows("SHOW X")
    assert driver.said[2:] == ["SHOW X"], "what comes next has a session"


def test_who_cannot_sign_in_again_is_told_why(driver: Driver) -> None:
    connection = Connection(login(token="t"), Clock())
    driver.answers = [Error("Authentication token has expired.", 390114)]
    driver.refuses = Error("Invalid OAuth access token: expired")
    with pytest.raises(UnreachableError) as told:
        connection.rows("SHOW X")
    assert "Get a new token" in told.value.remedy
    driver.refuses = None
    connection.rows("SHOW X")
    assert driver.said == ["SHOW X", "(closed)", "SHOW X"]


def test_sessions_of_pages_give_up_soon(driver: Driver) -> None:
    clock = Clock()
    pages = login(token="t", patience=PATIENCE)
    driver.answers = [OperationalError("gone")] * TRIES
    with pytest.raises(UnreachableError, match="gone"):
        Connection(pages, clock).rows("SHOW X")
    assert len(driver.said) == 2
    assert driver.given["login_timeout"] <= 30
    assert STATEMENT_SECONDS < driver.given["network_timeout"] < 120


def test_what_was_cancelled_is_not_sent_again(driver: Driver) -> None:
    """By a person, or by the connector since it took too long."""
    said = "SQL execution was cancelled by the client due to a timeout."
    driver.answers = [Error(said, 604)]
    session = AccountSession(Connection(login(token="t"), Clock()))
    with pytest.raises(AccountError) as told:
        session.rows("COPY INTO T FROM @S")
    assert "take a larger warehouse" in told.value.remedy
    assert driver.said == ["COPY INTO T FROM @S"]


def test_a_statement_that_works_has_its_time_and_is_not_tried_for_hours(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    connection = Connection(login(token="t"), clock)
    assert driver.given["network_timeout"] >= 1800, "a COPY takes minutes"
    execute = driver.execute

    def hangs(statement: str) -> None:
        clock.waits.append(driver.given["network_timeout"])
        execute(statement)

    monkeypatch.setattr(driver, "execute", hangs)
    driver.answers = [OperationalError("gone")] * TRIES
    with pytest.raises(UnreachableError, match="gone"):
        connection.rows("SHOW X")
    assert len(driver.said) == 1


class Server:
    """Stands for an account with a log, over sessions that end at any time."""

    def __init__(self, losses: list[str]) -> None:
        self.losses = losses
        self.log: list[int] = []
        self.sessions = 0

    def connect(self, **_: Any) -> ServerSession:
        self.sessions += 1
        return ServerSession(self)


class ServerSession:
    def __init__(self, server: Server) -> None:
        self.server = server
        self.open: list[int] | None = None
        self.is_over = False
        self.description = [("N",)]

    def cursor(self) -> ServerSession:
        return self

    def __enter__(self) -> ServerSession:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def execute(self, statement: str) -> None:
        loss = self.server.losses.pop() if self.server.losses else ""
        self.is_over = self.is_over or loss == "before"
        if not self.is_over:
            self.carry_out(statement)
        if self.is_over or loss == "after":
            self.is_over, self.open = True, None
            raise Error("Session no longer exists.", 390111)

    def carry_out(self, statement: str) -> None:
        word, *rest = statement.split()
        if word == "BEGIN":
            self.open = []
        elif word == "COMMIT":
            self.server.log += self.open or []
            self.open = None
        elif word == "ROLLBACK":
            self.open = None
        elif word == "INSERT":
            (self.server.log if self.open is None else self.open).append(int(rest[0]))

    def fetchall(self) -> list[tuple[int]]:
        return [(len(self.server.log),)]

    def close(self) -> None:
        self.is_over, self.open = True, None


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.integers(0, 3), max_size=6),
    st.lists(st.sampled_from(["", "", "", "before", "after"]), max_size=30),
)
def test_whenever_sessions_end_nothing_is_done_twice_or_by_halves(
    blocks: list[int], losses: list[str]
) -> None:
    """Blocks of so many rows each, in a transaction or, of one row, without."""
    server = Server(losses)
    module = ModuleType("snowflake.connector")
    errors = SimpleNamespace(Error=Error, OperationalError=OperationalError)
    module.__dict__.update(connect=server.connect, errors=errors)
    package = ModuleType("snowflake")
    package.__dict__.update(connector=module)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "snowflake", package)
        patch.setitem(sys.modules, "snowflake.connector", module)
        connection = Connection(login(token="t"), Clock())
    number, together, sure = 0, [], []
    for size in blocks:
        rows = list(range(number, number + size))
        number += size
        together.append(set(rows))
        try:
            if size == 1:
                connection.rows(f"INSERT {rows[0]}")
            else:
                in_one(connection, rows)
            sure += rows
        except UnreachableError:
            continue
        with suppress(UnreachableError):
            connection.rows("SELECT COUNT(*)")
    assert len(server.log) == len(set(server.log)), "twice"
    assert set(sure) <= set(server.log), "what was told as done is done"
    for some in together:
        assert not some & set(server.log) or some <= set(server.log), "by halves"


def in_one(connection: Connection, rows: list[int]) -> None:
    connection.rows("BEGIN TRANSACTION")
    try:
        for each in rows:
            connection.rows(f"INSERT {each}")
            connection.rows("SELECT COUNT(*)")
        connection.rows("COMMIT")
    except UnreachableError:
        with suppress(UnreachableError):
            connection.rows("ROLLBACK")
        raise


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
