"""A run on Snowflake is published whole or not at all.

Built by dbt-snowflake in a double of an account. Its readers are asked after every
step: the totals that they see are always those of the days that they see.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from doubles import LACKING, PYTHON, Account, run_dbt, running_account
from ledger import FILES, Ledger

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(600)]
FIRST = [("1", "mon", "3"), ("2", "tue", "10")]


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    if not PYTHON.exists():
        pytest.skip(LACKING)
    with running_account() as running:
        yield running


def build(ledger: Ledger, *words: str) -> str:
    return run_dbt(ledger.root, ledger.profiles, *(words or ("build",)))


def days(ledger: Ledger) -> dict[str | None, Decimal]:
    """What readers see of the days, once it is the same as the totals say."""
    seen = ledger.seen()
    found = {day: Decimal(amount or 0) for day, amount, _ in seen["days"]}
    assert [[Decimal(total or 0) for total in row] for row in seen["totals"]] == [
        [sum(found.values(), Decimal(0))]
    ], "half of a run is seen"
    return found


def test_what_is_refused_is_not_seen(tmp_path: Path, account: Account) -> None:
    ledger = Ledger(tmp_path / "ledger", account, "REFUSING")
    ledger.arrive("a.csv", FIRST)
    build(ledger)
    assert days(ledger) == {"mon": 3, "tue": 10}
    before = ledger.seen()

    ledger.arrive("b.csv", [("3", "mon", "-9"), ("4", "wed", "7")])
    with pytest.raises(AssertionError, match="not_negative"):
        build(ledger)
    assert ledger.seen() == before
    status, why = ledger.told()[-1]
    assert status == "refused"
    assert why is not None
    assert "not_negative" in why
    assert "REFUSING.GOLD_REFUSED" in why
    [mon] = ledger.say(
        "select amount from {database}.gold_refused.days where day = 'mon'"
    )
    assert mon == ["-6.00"], "the evidence is what the test saw"

    with pytest.raises(AssertionError, match="not_negative"):
        build(ledger)  # nothing is new, and nothing is better
    assert ledger.seen() == before
    assert [status for status, _ in ledger.told()] == ["ok", "refused", "refused"]

    ledger.arrive("c.csv", [("3", "mon", "9")])  # corrected
    build(ledger)
    assert days(ledger) == {"mon": 12, "tue": 10, "wed": 7}
    assert ledger.seen()["best_days"] == [["mon"], ["tue"], ["wed"]]


def test_when_a_run_began_is_told_rightly_in_any_time_zone(
    tmp_path: Path, account: Account
) -> None:
    """dbt by hand has sessions in the account's zone, which is Los Angeles."""
    ledger = Ledger(tmp_path / "ledger", account, "ZONED")
    ledger.arrive("a.csv", FIRST)
    account.use_zone("America/Los_Angeles")
    try:
        build(ledger)
    finally:
        account.use_zone("UTC")
    assert ledger.say(
        "select status, started_at <= ended_at, "
        "started_at > dateadd(hour, -1, ended_at) from {database}.snowmelt.pipeline_log"
    ) == [["ok", "True", "True"]]


def test_only_what_was_built_and_tested_as_a_whole_is_published(
    tmp_path: Path, account: Account
) -> None:
    ledger = Ledger(tmp_path / "ledger", account, "PARTLY")
    ledger.arrive("a.csv", FIRST)
    build(ledger)
    ledger.arrive("b.csv", [("3", "mon", "-9")])
    build(ledger, "run")  # no test has seen it
    assert days(ledger) == {"mon": 3, "tue": 10}
    assert "not_negative" in build(ledger, "build", "--select", "entries totals")
    assert ledger.told()[-1][0] == "left"
    assert days(ledger) == {"mon": 3, "tue": 10}


def test_a_graph_of_tasks_publishes_with_its_last_stage(
    tmp_path: Path, account: Account
) -> None:
    ledger = Ledger(tmp_path / "ledger", account, "STAGED")
    ledger.write(
        "tests/of_both.sql",
        "select * from {{ ref('entries') }} where day not in "
        "(select day from {{ ref('days') }})",
    )
    ledger.arrive("a.csv", FIRST)
    stage = ("--indirect-selection", "buildable")
    build(ledger, "build", "--select", "silver", *stage)  # there is no day yet
    assert not _is_there(ledger, "gold.days")
    assert "of_both" in build(ledger, "build", "--select", "gold", *stage)
    assert days(ledger) == {"mon": 3, "tue": 10}


POINTS = (
    # of a first publication
    ("", "create or replace stream {database}.gold_next.snowmelt_p__days"),
    ("", "insert into {database}.snowmelt.pipeline_log"),
    ("", "alter stream {database}.gold_next.snowmelt_p__days"),
    ("", "create or replace view {database}.gold.best_days"),
    # of a later one
    ("a", "insert into {database}.gold_next.days"),
    ("a", "insert into {database}.gold.days"),
    ("a", "insert into {database}.snowmelt.pipeline_log"),
)


@pytest.mark.parametrize(("first", "point"), POINTS)
def test_killed_anywhere_the_next_run_is_right(
    first: str, point: str, tmp_path: Path, account: Account
) -> None:
    name = f"KILLED{POINTS.index((first, point))}"
    ledger = Ledger(tmp_path / "ledger", account, name)
    ledger.arrive("a.csv", FIRST)
    old: dict[str | None, Decimal] = {}
    if first:
        build(ledger)
        old = days(ledger)
        ledger.arrive("b.csv", [("2", "mon", "10"), ("4", "wed", "7")])
    new = {"mon": 13, "wed": 7} if first else {"mon": 3, "tue": 10}

    account.stop_clients(point.format(database=name))
    with pytest.raises(AssertionError, match="session is gone"):
        build(ledger)
    assert account.stop_clients(""), "it was never sent"
    if _is_there(ledger, "gold.totals") and _is_there(ledger, "gold.best_days"):
        assert days(ledger) in (old, new)

    ledger.arrive("c.csv", [("5", "sun", "1")])
    build(ledger)
    assert days(ledger) == {**new, "sun": 1}
    assert ledger.seen() == ledger.seen("gold_next")


def _is_there(ledger: Ledger, table: str) -> bool:
    schema, name = table.upper().split(".")
    return bool(
        ledger.say(
            "select 1 from {database}.information_schema.tables where "
            f"upper(table_schema) = '{schema}' and upper(table_name) = '{name}'"
        )
    )


def test_columns_that_come_and_go(tmp_path: Path, account: Account) -> None:
    ledger = Ledger(tmp_path / "ledger", account, "COLUMNS")
    ledger.arrive("a.csv", FIRST)
    build(ledger)
    more = FILES["models/gold/days.sql"].replace(
        "count(*) as number", "count(*) as number, max(entry) as newest"
    )
    ledger.write("models/gold/days.sql", more)
    build(ledger)
    asked = "select day, newest from {database}.gold.days order by day"
    assert ledger.say(asked) == [["mon", "1"], ["tue", "2"]]

    other = more.replace("max(entry)", "cast(max(entry) as number(9, 0))")
    ledger.write("models/gold/days.sql", other)
    ledger.arrive("b.csv", [("3", "mon", "1")])
    build(ledger)
    assert ledger.say(asked) == [["mon", "3"], ["tue", "2"]]
    assert days(ledger) == {"mon": 4, "tue": 10}
