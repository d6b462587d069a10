"""Whoever reads while gold is published sees one run or the next, and no error."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from published_gold import Gold, opened_gold
from publishing_loop import ACCOUNTS, SUMS, make_accounts, refresh

from postgres_server import database, postgres

__all__ = ["database", "postgres"]
ASKED = SUMS.format("gold")
WHOLE = (ACCOUNTS, 0, 0, 1)
HERE = Path(__file__).parent
JAR = Path("/usr/share/java/postgresql.jar")
JAVA = """
import java.sql.*;
public class Reader {
    public static void main(String[] given) throws Exception {
        String asked = given[1];
        try (Connection c = DriverManager.getConnection(given[0])) {
            while (System.in.available() == 0) {
                try (Statement s = c.createStatement();
                        ResultSet r = s.executeQuery(asked)) {
                    r.next();
                    System.out.println(r.getLong(1) + " " + r.getLong(2) + " "
                        + r.getLong(3) + " " + r.getLong(4));
                }
            }
        }
    }
}
"""


@dataclass
class Seen:
    """What readers of one kind saw."""

    kind: str
    reads: int = 0
    problems: list[str] = field(default_factory=list)

    def take(self, found: tuple[Any, ...]) -> None:
        self.reads += 1
        if tuple(map(int, found)) != WHOLE:
            self.problems.append(f"{self.kind} saw {found}")


Reading = Callable[[str, threading.Event, Seen], None]


def read_psycopg(dsn: str, end: threading.Event, seen: Seen) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        while not end.is_set():
            row = connection.execute(ASKED).fetchone()
            seen.take(row or ())


def read_in_one_transaction(dsn: str, end: threading.Event, seen: Seen) -> None:
    """Tables that are read one after the other belong together, too."""
    with psycopg.connect(dsn) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        while not end.is_set():
            one = connection.execute(
                "select count(*), sum(amount), sum(amount * id) from gold.accounts"
            ).fetchone()
            end.wait(0.02)
            two = connection.execute("select weighed from gold.totals").fetchall()
            assert one is not None
            seen.take((one[0], one[1], one[2] - two[0][0], len(two)))
            connection.commit()


def read_sqlalchemy(dsn: str, end: threading.Event, seen: Seen) -> None:
    import sqlalchemy

    engine = sqlalchemy.create_engine(dsn.replace("postgresql:", "postgresql+psycopg:"))
    tables = sqlalchemy.MetaData()
    tables.reflect(engine, schema="gold")
    accounts = tables.tables["gold.accounts"]
    assert [column.name for column in accounts.primary_key] == ["id"]
    while not end.is_set():
        with engine.connect() as connection:
            row = connection.execute(sqlalchemy.text(ASKED)).one()
            seen.take(tuple(row))
    engine.dispose()


def read_psql(dsn: str, end: threading.Event, seen: Seen) -> None:
    while not end.is_set():
        done = subprocess.run(
            ["psql", dsn, "-AtF", " ", "-c", ASKED],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        seen.take(tuple(done.stdout.split()))


def read_odbc(dsn: str, end: threading.Event, seen: Seen) -> None:
    import pyodbc

    parts = urlsplit(dsn)
    address = (
        f"Driver={{PostgreSQL Unicode}};Server={parts.hostname};Port={parts.port};"
        f"Database={parts.path[1:]};Uid={parts.username};Pwd={parts.password}"
    )
    connection = pyodbc.connect(address, autocommit=True)
    while not end.is_set():
        seen.take(tuple(connection.execute(ASKED).fetchone()))
    connection.close()


def read_jdbc(dsn: str, end: threading.Event, seen: Seen) -> None:
    parts = urlsplit(dsn)
    address = (
        f"jdbc:postgresql://{parts.hostname}:{parts.port}{parts.path}"
        f"?user={parts.username}&password={parts.password}"
    )
    source = Path(os.environ["TMPDIR_OF_TEST"]) / "Reader.java"
    source.write_text(JAVA)
    with subprocess.Popen(
        ["java", "-cp", str(JAR), str(source), address, ASKED],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        for line in process.stdout:
            seen.take(tuple(line.split()))
            if end.is_set() and not process.stdin.closed:
                process.stdin.write("end\n")
                process.stdin.close()
    assert process.returncode == 0


def has_odbc() -> bool:
    if find_spec("pyodbc") is None:
        return False
    import pyodbc

    return "PostgreSQL Unicode" in pyodbc.drivers()


def readings(*, all_of_them: bool) -> dict[str, Reading]:
    """Return the clients that this machine has; all, or those that begin quickly."""
    found: dict[str, Reading] = {
        "psycopg": read_psycopg,
        "one transaction": read_in_one_transaction,
        "sqlalchemy": read_sqlalchemy,
    }
    if has_odbc():
        found["odbc"] = read_odbc
    if all_of_them and shutil.which("psql"):
        found["psql"] = read_psql
    if all_of_them and JAR.is_file() and shutil.which("java"):
        found["jdbc"] = read_jdbc
    return found


@contextmanager
def reading(dsn: str, chosen: dict[str, Reading]) -> Iterator[dict[str, Seen]]:
    """Have clients read while the block lasts; none may have seen anything odd."""
    end = threading.Event()
    seen = {kind: Seen(kind) for kind in chosen}

    def run(kind: str) -> None:
        try:
            chosen[kind](dsn, end, seen[kind])
        except Exception as error:  # noqa: BLE001 - that is what must not happen
            seen[kind].problems.append(f"{kind}: {error}")

    threads = [threading.Thread(target=run, args=[kind]) for kind in chosen]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        end.set()
        for thread in threads:
            thread.join(60)
    problems = [problem for each in seen.values() for problem in each.problems]
    assert not problems, problems[:5]
    assert all(each.reads > 0 for each in seen.values()), seen


def publish_while_read(gold: Gold, refreshes: int, *, all_of_them: bool) -> None:
    chance = random.Random(7)
    make_accounts(gold)
    refresh(gold, chance)
    chosen = readings(all_of_them=all_of_them)
    with reading(gold.dsn, chosen) as seen:
        for number in range(refreshes):
            if number % 200 == 150:  # columns come and go, too
                gold.sql(f"alter table gold.accounts add column c{number} integer")
            refresh(gold, chance)
        while not all(each.reads for each in seen.values()):
            refresh(gold, chance)
    assert gold.there("select run from gold.totals") == gold.here(
        "select run from gold.totals"
    )


def test_readers_see_whole_runs_while_gold_is_published(
    tmp_path: Path,
    database: str,
) -> None:
    with opened_gold(tmp_path, database) as gold:
        publish_while_read(gold, 8, all_of_them=False)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_thousand_publications_beside_every_client(
    tmp_path: Path,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TMPDIR_OF_TEST", str(tmp_path))
    with opened_gold(tmp_path, database) as gold:
        publish_while_read(gold, 1000, all_of_them=True)


def kill_and_go_on(folder: Path, dsn: str, kills: int) -> None:
    """Kill the publisher at any moment; what is there is a whole run, and goes on."""
    chance = random.Random(11)
    with opened_gold(folder, dsn) as gold:
        make_accounts(gold)
        refresh(gold, chance)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([*sys.path, str(HERE.parent / "conformance")])
    }
    with reading(dsn, {"psycopg": read_psycopg}):
        for seed in range(kills):
            with subprocess.Popen(
                [sys.executable, HERE / "publishing_loop.py", folder, dsn, str(seed)],
                stdout=subprocess.PIPE,
                env=environment,
            ) as process:
                assert process.stdout is not None
                assert process.stdout.readline(), "it does not begin"
                threading.Event().wait(chance.random() * 0.3)
                process.kill()
    with opened_gold(folder, dsn) as gold:
        for _ in range(40):  # Postgres may not have noticed yet that it is gone
            try:
                refresh(gold, chance)
                break
            except Exception as error:
                if "somebody else" not in str(error):
                    raise
                threading.Event().wait(0.1)
        for query in ("select * from {} order by id", "select * from {} order by one"):
            table = "gold.accounts" if "id" in query else "gold.totals"
            asked = query.format(table)
            assert gold.there(asked) == gold.here(asked)


def test_a_publisher_that_is_killed_leaves_a_whole_run(
    tmp_path: Path,
    database: str,
) -> None:
    kill_and_go_on(tmp_path, database, 1)


@pytest.mark.long
def test_a_publisher_that_is_killed_again_and_again(
    tmp_path: Path,
    database: str,
) -> None:
    kill_and_go_on(tmp_path, database, 60)
