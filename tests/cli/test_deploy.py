"""snowmelt deploy, as a person uses it, against an account in memory."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from shipped import deployed_into, make_project
from snowflake_account import Account, Thing
from snowflake_gate import problems
from snowmelt.cli import main
from snowmelt.deploy import opening
from snowmelt.deploy.aws.calls import WrittenCalls
from snowmelt.deploy.aws.provider import AwsProvider
from snowmelt.deploy.aws.site import Site
from snowmelt.deploy.naming import Names
from snowmelt.deploy.resource import Sight
from snowmelt.project.project import Project


class Person:
    """Says words to the command, and keeps what it answered."""

    def __init__(
        self,
        project: Project,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.root = project.root
        self.account = Account()
        self.signed_in = 0
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        monkeypatch.setattr(opening, "connect", self._connect)
        # The AWS side has tests of its own: here nothing is wanted of it.
        monkeypatch.setattr(opening, "aws_resources", lambda names: ())
        monkeypatch.setattr(opening, "open_aws", _open_nothing)

    def _connect(self, *given: object) -> Any:
        self.signed_in += 1
        session = Account()
        session.__dict__ = self.account.__dict__
        session.__dict__["close"] = lambda: None
        return session

    def says(self, *words: str, answer: str | None = None) -> int:
        if answer is not None:
            terminal = io.StringIO(answer)
            self._monkeypatch.setattr(terminal, "isatty", lambda: True)
            self._monkeypatch.setattr(sys, "stdin", terminal)
        with pytest.raises(SystemExit) as ended:
            main(["deploy", *words, "--project-dir", str(self.root)])
        self.out, self.err = self._capsys.readouterr()
        return int(ended.value.code or 0)

    @property
    def told(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.out)
        return document


class Nothing(AwsProvider):
    """An AWS account in which there is nothing."""

    def look(self, desired: object) -> Sight:
        return Sight()


def _open_nothing(names: Names, clock: object) -> AwsProvider:
    return Nothing(Site.of(names), WrittenCalls())


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_project(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def person(
    project: Project,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Person:
    return Person(project, capsys, monkeypatch)


def test_plan_apply_and_nothing_left_to_do(person: Person) -> None:
    assert person.says("plan", "--sql") == 0
    assert "+ warehouse SHOP_WH" in person.out
    assert "CREATE WAREHOUSE IF NOT EXISTS SHOP_WH WITH" in person.out
    assert "to create. Plan " in person.out
    assert "snowmelt.yml:4: tasks.hourly.refresh" in person.err
    assert not any(each.startswith("CREATE") for each in person.account.statements)
    digest = person.out.rstrip().rpartition(" ")[2].rstrip(".")
    assert f"apply --target prod --plan {digest}" in person.err
    assert person.says("apply", "--plan", digest) == 0
    assert "steps done." in person.out
    assert "+ snowflake:pipe:SHOP.BRONZE.ORDERS_PIPE" in person.err
    assert person.says("plan") == 0
    assert "Nothing to do: everything is as it is to be." in person.out
    assert person.says("drift") == 0
    assert "Nothing was changed elsewhere." in person.out


def test_a_plan_that_is_not_the_approved_one_is_refused(person: Person) -> None:
    person.says("plan", "--json")
    digest = person.told["digest"]
    key = ("ROLE", ("SHOP_READER",))
    person.account.things[key] = Thing(*key, {"COMMENT": "theirs"})
    assert person.says("apply", "--plan", digest) == 2
    assert "what is there or is wanted changed" in person.err
    assert person.says("apply", "--plan", "abc") == 2
    assert len(person.account.things) == 1


def test_rows_that_arrive_meanwhile_change_no_plan(person: Person) -> None:
    person.says("apply", "--yes")
    (person.root / "pipes" / "events.yml").rename(person.root / "events.kept")
    try:
        person.says("plan", "--json")
        digest = person.told["digest"]
        assert {s["action"] for s in person.told["steps"]} >= {"keep", "drop"}
        person.account.land("raw/events-1.json", "1")
        assert person.says("apply", "--plan", digest) == 0
    finally:
        (person.root / "events.kept").rename(person.root / "pipes" / "events.yml")


def test_offline_nobody_is_asked_and_everything_is_to_be_made(person: Person) -> None:
    assert person.says("plan", "--offline", "--json", "--sql") == 0
    assert person.signed_in == 0
    assert set(person.told["counts"]) == {"create"}
    assert person.told["target"] == "shop/prod"
    refresh, recipients = person.told["remarks"]
    assert refresh["where"].startswith("snowmelt.yml:4")
    assert recipients["where"].endswith("alerts.sinks.ops.email.to")
    assert "a user of the account who verified it" in recipients["told"]
    statements = [s for step in person.told["steps"] for s in step["statements"]]
    assert len(statements) > len(person.told["steps"])


def test_out_writes_the_statements_in_files_in_their_order(
    person: Person, tmp_path: Path
) -> None:
    out = tmp_path / "infra"
    out.mkdir()
    (out / "099_old.sql").write_text("-- of an earlier plan")
    (out / "notes.md").write_text("a person's")
    assert person.says("plan", "--offline", "--out", str(out)) == 0
    files = sorted(each.name for each in out.glob("*.sql"))
    assert files[0] == "001_account.sql"
    assert "099_old.sql" not in files
    assert (out / "notes.md").exists()
    written = "".join((out / name).read_text() for name in files)
    expected = person.says("plan", "--offline", "--json", "--sql")
    assert expected == 0
    for step in person.told["steps"]:
        for statement in step["statements"]:
            assert f"{statement};" in written
    first = (out / "001_account.sql").read_text()
    assert first.startswith("-- shop/prod, plan ")
    assert (
        problems(first.split(";\n")[0].rpartition("\n-- ")[2].partition("\n")[2]) == []
    )


def test_apply_asks_a_person_and_takes_no_for_an_answer(person: Person) -> None:
    assert person.says("apply", answer="no\n") == 130
    assert not person.account.things
    assert person.says("apply", answer="yes\n") == 0
    assert person.account.things
    assert "Do these" in person.err


def test_without_a_person_it_says_which_word_is_missing(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert person.says("apply") == 2
    assert "Add --yes, or --plan DIGEST." in person.err
    assert not person.account.things


def test_drift_is_shown_and_undone(person: Person) -> None:
    person.says("apply", "--yes")
    person.account.rows("ALTER WAREHOUSE SHOP_WH SET AUTO_SUSPEND = 3600")
    assert person.says("drift") == 1
    assert "~ warehouse SHOP_WH" in person.out
    assert "changed elsewhere since it was applied" in person.out
    assert "auto_suspend: 3600 → 60" in person.out
    assert person.says("apply", "--yes", "--json") == 0
    assert person.told["done"] == 1
    assert person.says("drift", "--json") == 0


def test_destroy_counts_names_asks_and_keeps(person: Person) -> None:
    person.says("apply", "--yes")
    person.account.land("raw/orders/1.csv", "1")
    assert person.says("destroy", answer="no\n") == 130
    assert "= table SHOP.BRONZE.ORDERS__ALL" in person.out
    assert "it is kept: 1 row" in person.out
    assert "--with-data snowflake:table:SHOP.BRONZE.ORDERS__ALL" in person.out
    assert "- pipe SHOP.BRONZE.ORDERS_PIPE" in person.out
    assert person.says("destroy", "--yes") == 0
    assert ("TABLE", ("SHOP", "BRONZE", "ORDERS__ALL")) in person.account.things
    assert (
        person.says("destroy", "--yes", "--with-data", "snowflake:database:SHIP") == 2
    )
    assert "there is nothing of this name" in person.err
    assert person.says("destroy", "--yes", "--with-data", "SHOP") == 2
    assert "an address is PROVIDER:KIND:NAME" in person.err
    assert (
        person.says("destroy", "--yes", "--with-data", "snowflake:database:SHOP") == 0
    )
    assert not person.account.things


def test_what_is_not_ours_is_told_and_the_rest_is_done(person: Person) -> None:
    key = ("WAREHOUSE", ("SHOP_WH",))
    options = {"WAREHOUSE_SIZE": "MEDIUM", "AUTO_SUSPEND": 9, "AUTO_RESUME": True}
    person.account.things[key] = Thing(*key, dict(options))
    assert person.says("plan") == 1
    assert "! warehouse SHOP_WH" in person.out
    assert "it is there already and not ours; it is not touched" in person.out
    assert person.says("apply", "--yes") == 1
    assert "Left: snowflake:warehouse:SHOP_WH" in person.err
    assert person.account.things[key].options == options


def test_a_failing_step_is_told_with_its_statement_and_grant(person: Person) -> None:
    person.account.denied = {"CREATE ROLE"}
    assert person.says("apply", "--yes", "--json") == 1
    error = person.told["error"]
    assert error["where"] == "create snowflake:role:SHOP_LOADER"
    assert "CREATE ROLE IF NOT EXISTS SHOP_LOADER" in error["problem"]
    assert "GRANT CREATE ROLE ON ACCOUNT" in error["remedy"]
    assert "Apply again to go on from there." in error["remedy"]
    assert person.says("apply", "--yes") == 1
    person.account.denied = set()
    assert person.says("apply", "--yes") == 0


def test_targets_that_are_not_there(person: Person) -> None:
    assert person.says("plan", "--target", "staging") == 2
    assert "known: local, prod" in person.err
    assert person.says("plan", "--target", "local") == 2
    assert person.signed_in == 0


def test_what_deploy_made_is_what_the_plan_said(person: Person) -> None:
    """The command and the library look at one account alike."""
    person.says("apply", "--yes")
    project = make_project(person.root)
    assert deployed_into(project, person.account).plan().is_empty
