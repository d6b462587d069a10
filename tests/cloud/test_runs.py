"""A target that is followed: dbt as a child, a double of the account."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from doubles import LACKING, PYTHON, Account, DoubleSession, running_account
from ledger import Ledger
from shipping import TARGET

from snowmelt.clock import SystemClock
from snowmelt.deploy.opening import names_of
from snowmelt.deploy.resource import Mark, Owner
from snowmelt.deploy.running.loop import Follower
from snowmelt.deploy.running.outcome import Outcome
from snowmelt.deploy.running.runner import Runner
from snowmelt.deploy.snowflake.manifest import manifest
from snowmelt.deploy.snowflake.places import Findings
from snowmelt.deploy.snowflake.task import Stream
from snowmelt.errors import SnowmeltError
from snowmelt.project.project import load_project

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(600)]
PIPE = """
name: entries
pattern: entries*.csv
file_format: {type: csv}
contract:
  columns:
    - {name: entry, type: varchar}
    - {name: day, type: varchar}
    - {name: amount, type: varchar}
"""
NEWS_READ = """
create table {database}.snowmelt.news_read (
    stream_name varchar, row_count number(19,0), read_at timestamp_ltz
)
"""


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    if not PYTHON.exists():
        pytest.skip(LACKING)
    with running_account() as running:
        yield running


def private_key() -> bytes:
    return rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


class Following:
    """A ledger that is followed; its runs are told as they end."""

    def __init__(self, root: Path, account: Account, name: str) -> None:
        self.ledger = Ledger(root, account, name)
        target = TARGET | {
            "runner": "service",
            "database": name,
            "user": "x",
            "host": "127.0.0.1",
            "account": "test",
        }
        self.ledger.write(
            "snowmelt.yml",
            yaml.safe_dump(
                {"version": 1, "name": "ledger", "targets": {"prod": target}}
            ),
        )
        self.ledger.write("pipes/entries.yml", PIPE)
        (root / "landing").mkdir()
        self.project = load_project(root)
        self.names = names_of(self.project, "prod")
        for table in ("news_read", "news_taken"):
            self.ledger.say(NEWS_READ.replace("news_read", table))
        mark = Mark(Owner("ledger", "prod"), "test")
        for each in manifest(self.project, self.names, Findings(root)):
            if isinstance(each, Stream):
                for statement in each.create(mark):
                    account.rows(statement)
        self.account = account
        self.outcomes: list[Outcome] = []
        self.errors: list[SnowmeltError] = []
        self.ended = threading.Condition()

    def runner(self) -> Runner:
        session = DoubleSession(self.account, self.names.database)
        dbt = Path(__file__).with_name("connected_dbt.py")
        command = (str(PYTHON), str(dbt), str(self.account.port))
        return Runner(self.project, self.names, session, command)

    def ran(self, outcome: Outcome) -> None:
        with self.ended:
            self.outcomes.append(outcome)
            self.ended.notify_all()

    def wait_for(self, count: int) -> Outcome:
        with self.ended:
            assert self.ended.wait_for(lambda: len(self.outcomes) >= count, 90), (
                self.errors
            )
            return self.outcomes[count - 1]


def test_what_arrives_is_built_as_it_arrives(
    tmp_path: Path, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(private_key())
    monkeypatch.setenv("SHOP_KEY", str(key))
    following = Following(tmp_path / "ledger", account, "FOLLOWED")
    ledger = following.ledger
    follower = Follower(
        following.runner, SystemClock(), following.ran, following.errors.append,
        every=0.5,
    )  # fmt: skip
    ledger.arrive("a.csv", [("1", "mon", "3"), ("2", "tue", "10")])
    thread = threading.Thread(target=follower.follow)
    thread.start()
    try:
        first = following.wait_for(1)
        assert (first.problems, first.publication) == ((), "ok")
        assert sorted(first.tables) == ["days", "totals"]
        assert (first.models, first.tests, first.tests_passed) == (4, 1, 1)
        assert not following.runner().has_news()

        ledger.arrive("b.csv", [("3", "mon", "-9")])
        refused = following.wait_for(2)
        assert refused.publication == "refused"
        [problem] = [each for each in refused.problems if each.node == "not_negative"]
        assert "Got 1 result" in problem.message
        assert Path(problem.statement).is_file()
        assert ledger.seen()["totals"] == [["13.00"]]
        assert following.runner().has_news(), "it is tried again"

        ledger.arrive("c.csv", [("3", "mon", "9")])
        count = len(following.outcomes)
        while following.wait_for(count).problems:
            count += 1
        assert ledger.seen()["totals"] == [["22.00"]]
    finally:
        follower.stop.set()
        thread.join(90)
    assert not thread.is_alive()
    assert not following.errors
    read = ledger.say("select sum(row_count) from {database}.snowmelt.news_read")
    assert read == [["4"]], "each row was read once"
    runs = ledger.say(
        "select distinct status from {database}.snowmelt.pipeline_log "
        "where step = 'run' order by 1"
    )
    assert runs == [["failed"], ["ok"]]
