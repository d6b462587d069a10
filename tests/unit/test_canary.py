"""The canary: what it finds, and that it leaves nothing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shipped import deployed_into, make_project
from snowflake_account import Account, Stopped, Thing
from snowflake_gate import problems
from snowflake_live import LiveAccount, MovingClock, TellingBucket, canaries
from snowmelt.deploy.applying import apply_plan
from snowmelt.deploy.canary.run import Live, run_canary
from snowmelt.deploy.diagnosis.check import Check
from snowmelt.deploy.harvest.scope import scope_of
from snowmelt.deploy.opening import names_of
from snowmelt.errors import UsageError
from snowmelt.project.project import Project

PROMISES = (
    *("objects", "copied", "bronze", "reject", "copied", "same name again"),
    *("stream", "task", "gold", "offset", "cleared"),
)


class Sent:
    """An account with a project, its bucket, and one who sends canaries."""

    def __init__(self, project: Project, deployed: dict[str, Any]) -> None:
        self.account = LiveAccount()
        shared = {key: deployed[key] for key in Account().__dict__ if key != "before"}
        shared |= {"things": dict(deployed["things"]), "pipes": dict(deployed["pipes"])}
        self.account.__dict__.update(shared | {"statements": []})
        self.bucket = TellingBucket(self.account)
        self.scope = scope_of(project, names_of(project, "prod"))
        self.machine = "here"

    def __call__(self) -> list[Check]:
        told: list[Check] = []
        live = Live(
            self.account,
            self.bucket,
            self.scope,
            MovingClock(self.account),
            self.machine,
            timedelta(seconds=60),
        )
        run_canary(live, told.append)
        return told


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_project(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def deployed(project: Project) -> dict[str, Any]:
    account = LiveAccount()
    deployment = deployed_into(project, account)
    apply_plan(deployment, deployment.plan())
    return account.__dict__


@pytest.fixture
def sent(project: Project, deployed: dict[str, Any]) -> Sent:
    return Sent(project, deployed)


def test_every_promise_is_held_and_nothing_is_left(
    sent: Sent, project: Project
) -> None:
    told = sent()
    assert [(each.name, each.level) for each in told] == [
        (name, "pass") for name in PROMISES
    ]
    assert "3 of 4 records, 1 refused" in told[1].found
    assert not canaries(sent.account)
    assert not sent.bucket.objects
    assert not deployed_into(project, sent.account).plan().acting


def test_its_statements_are_those_of_the_grammar(sent: Sent) -> None:
    sent()
    made = [s for s in sent.account.statements if "SNOWMELT_CANARY" in s]
    assert len(made) > 10
    assert not [found for s in made for found in problems(s)]


def test_killed_at_any_statement_the_next_run_clears_it(sent: Sent) -> None:
    sent()
    count = len(sent.account.statements)
    assert count > 20
    for stop in range(1, count):
        sent.account.statements.clear()
        sent.account.stop_after = stop
        with pytest.raises(Stopped):
            sent()
        sent.account.stop_after = None
        told = sent()
        assert told[-1].name == "cleared"
        assert not canaries(sent.account)
        assert not sent.bucket.objects


def test_killed_at_the_bucket_the_next_run_clears_it(sent: Sent) -> None:
    for stop in range(6):
        sent.bucket.calls, sent.bucket.stop_at = 0, stop
        with pytest.raises(Stopped):
            sent()
        sent.bucket.stop_at = None
        assert sent()[0].name == "left over"
        assert not canaries(sent.account)
        assert not sent.bucket.objects


def test_a_canary_of_another_machine_is_left_alone_while_it_may_be_at_work(
    sent: Sent,
) -> None:
    sent.machine = "elsewhere"
    sent.bucket.stop_at = 1
    with pytest.raises(Stopped):
        sent()
    sent.bucket.stop_at, sent.machine = None, "here"
    assert sent()[0].name == "objects"
    assert canaries(sent.account)
    sent.account.now += timedelta(hours=3)
    assert sent()[0].name == "left over"
    assert not canaries(sent.account)


def test_what_bears_its_name_and_not_its_mark_is_not_touched(sent: Sent) -> None:
    key = ("SCHEMA", ("SHOP", "SNOWMELT_CANARY_MINE"))
    sent.account.things[key] = Thing(*key, {"COMMENT": "mine"})
    sent()
    assert [each.name for each in canaries(sent.account)] == [key[1]]


def test_a_file_that_is_not_told_of_is_followed_through_the_pipe(sent: Sent) -> None:
    sent.account.is_deaf = True
    told = sent()
    assert [each.name for each in told] == [
        *("objects", "copied", "pipe", "notification", "cleared"),
    ]
    assert "was not copied within 60 seconds" in told[1].found
    assert told[-1].level == "pass"


@pytest.mark.parametrize(
    ("broken", "name", "found"),
    [
        ("doubles_names", "same name again", "7 rows of 4 records"),
        ("task_fails", "task", "FAILED, TRIGGER: no"),
        ("hides_rejects", "reject", "no error is told of the record that is wrong"),
    ],
)
def test_a_promise_that_does_not_hold_is_told(
    sent: Sent, broken: str, name: str, found: str
) -> None:
    setattr(sent.account, broken, True)
    failed = [each for each in sent() if each.level == "fail"]
    assert (failed[0].name, failed[0].found) == (name, found)
    assert not canaries(sent.account)


def test_a_privilege_that_is_missing_is_told_with_its_grant(sent: Sent) -> None:
    sent.account.denied.add("CREATE PIPE")
    told = sent()
    assert (told[0].name, told[0].level) == ("objects", "fail")
    assert "GRANT CREATE PIPE ON SCHEMA SHOP.SNOWMELT_CANARY" in told[0].remedy
    assert told[-1].name == "cleared"


def test_a_pipe_that_would_take_its_files_is_refused(
    sent: Sent, tmp_path: Path
) -> None:
    wide = make_project(
        tmp_path,
        **{
            "pipes/events.yml": (
                "name: events\npattern: '**/*.canary'\ncontract:\n  columns:\n"
                "    - {name: id, type: bigint}\n"
            )
        },
    )
    sent.scope = scope_of(wide, names_of(wide, "prod"))
    with pytest.raises(UsageError, match="takes snowmelt-canary/"):
        sent()
    assert not canaries(sent.account)
