"""Dashboards of a target: the same figures as here, and as few questions as can be."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import jsonschema_rs
import pytest

from boards_project import COLUMNS, NOT_PORTABLE, ROWS, account_of, dashboards_project
from read_by_dbt import ReadByDbt
from snowflake_gate import problems
from snowmelt.cli import main
from snowmelt.clock import SystemClock
from snowmelt.deploy import opening
from snowmelt.errors import (
    ConfigError,
    SnowmeltError,
    UnreachableError,
    UsageError,
)
from snowmelt.project.project import Project
from snowmelt.serve.commands import Commands
from snowmelt.serve.schemas import ANSWERS
from snowmelt.service.targets import files
from snowmelt.service.targets.answering import answered_there
from snowmelt.service.targets.project import ObservedProject, observed_project

HOUR = timedelta(hours=1)


class Target:
    """A project with dashboards, and its account as each test has it."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.observed: ObservedProject = observed_project(project, "prod")
        self.account = account_of(project)
        self.clock = SystemClock()
        self.dbt = ReadByDbt()

    def anew(self) -> None:
        """Gold was published an hour ago, and nothing is known of it here."""
        self.observed.warehouse_path.unlink(missing_ok=True)
        account = self.account
        account.problem, account.before = None, lambda statement: None
        for each in (account.log, account.refuses, account.asked, account.sent):
            each.clear()
        self.account.make("GOLD.FCT_SALES", COLUMNS, ROWS)
        self.account.now = self.clock.now()
        self.publish(HOUR)

    def publish(self, ago: timedelta) -> datetime:
        at = self.clock.now() - ago
        self.account.now = self.clock.now()
        self.account.publish(at)
        return at + timedelta(seconds=50)

    @contextmanager
    def commands(self) -> Iterator[Commands]:
        with answered_there(self.observed, self.clock, None) as commands:
            yield commands


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Target:
    return Target(dashboards_project(tmp_path_factory.mktemp("boards")))


@pytest.fixture
def target(made: Target, monkeypatch: pytest.MonkeyPatch) -> Target:
    made.anew()
    monkeypatch.setattr(opening, "connect", lambda *_: made.account)
    monkeypatch.setattr(files, "Dbt", made.dbt)
    return made


def of_card(document: dict[str, Any], place: int) -> dict[str, Any]:
    card: dict[str, Any] = document["cards"][place]
    return card


def test_figures_are_those_that_the_same_query_has_here(target: Target) -> None:
    with target.commands() as commands:
        for filters in (None, "region=north&period=2024-01-01..2024-12-31"):
            document = commands.dashboard("sales", filters)
            jsonschema_rs.validator_for(ANSWERS["dashboard"]).validate(
                json.loads(json.dumps(document, default=str))
            )
            for card in document["cards"]:
                query = card["sql"].replace(
                    '"warehouse"."gold"."fct_sales"', "FCT_SALES"
                )
                query = query.replace("::json::varchar[]", "::varchar[]")
                here = target.account.ask(query, card["parameters"])
                shown = [[_shown(value) for value in row] for row in here]
                assert card["rows"] == shown, card["sql"]
            assert {each["asked"] for each in document["cards"]} <= {
                *target.account.asked
            }
    for statement in target.account.asked:
        assert problems(statement) == [], statement


def _shown(value: Any) -> Any:
    from snowmelt.service.documents import plain

    return plain(value)


def test_data_is_as_of_its_publication(target: Target) -> None:
    published = target.publish(timedelta(minutes=10))
    with target.commands() as commands:
        document = commands.dashboard("sales", None)
        assert datetime.fromisoformat(document["health"]["data_as_of"]) == published
        assert document["health"]["word"] == "current"
        runs = {each["run_id"]: each for each in commands.runs(None, 5)["runs"]}
        assert document["run_id"] in runs
        [listed] = [
            each
            for each in commands.dashboards()["dashboards"]
            if each["name"] == "sales"
        ]
        assert listed["health"]["data_as_of"] == document["health"]["data_as_of"]


def test_open_pages_and_many_viewers_cost_one_question_each(target: Target) -> None:
    with target.commands() as commands:
        begin = threading.Barrier(6)

        def look(_: int) -> Any:
            begin.wait()
            return commands.board("sales", None)["cards"]

        with ThreadPoolExecutor(6) as pool:
            first, *others = pool.map(look, range(6))
        assert all(each == first for each in others)
        asked = list(target.account.asked)
        assert len(asked) == len(set(asked))
        sent = len(target.account.sent)
        commands.board("sales", None)
        commands.dashboard("sales", None)
        commands.dashboards()
        assert target.account.sent[sent:] == []
        commands.board("sales", "region=north")
        assert len(target.account.asked) > len(asked)


def test_what_is_published_anew_is_asked_anew(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("snowmelt.service.targets.observing.FRESH", timedelta(-1))
    with target.commands() as commands:
        before = commands.board("sales", None)
        target.account.make("GOLD.FCT_SALES", COLUMNS, ROWS[:1])
        assert commands.board("sales", None)["cards"] == before["cards"]
        published = target.publish(timedelta(minutes=5))
        # another choice asks the account, which then says that it has published anew
        narrowed = commands.board("sales", "region=north")
        assert of_card(narrowed, 0)["rows"] == [["10.00"]]
        after = commands.board("sales", None)
        assert of_card(after, 0)["rows"] == [["10.00"]]
        as_of = datetime.fromisoformat(after["health"]["data_as_of"])
        assert (
            as_of == published > datetime.fromisoformat(before["health"]["data_as_of"])
        )
        assert after["run_id"] != before["run_id"]


def test_cards_are_of_one_publication_though_gold_is_published_meanwhile(
    target: Target,
) -> None:
    seen: list[str] = []

    def publish_between(statement: str) -> None:
        if "SUM(amount)" in statement and not seen:
            seen.append(statement)
            target.account.make("GOLD.FCT_SALES", COLUMNS, ROWS[:2])
            target.publish(timedelta(minutes=5))

    target.account.before = publish_between
    with target.commands() as commands:
        document = commands.board("sales", None)
        (by_region,) = of_card(document, 2)["rows"]
        assert by_region[:2] == ["north", "40.00"]
        assert of_card(document, 0)["rows"] == [["40.00"]]
        assert document["filters"][0]["first"] == "2024-01-05"


@pytest.mark.long
def test_gold_that_never_stands_still_is_told(target: Target) -> None:
    ago = [HOUR]

    def publish_always(statement: str) -> None:
        if "SUM(amount)" in statement:
            ago[0] -= timedelta(minutes=1)
            target.publish(ago[0])

    target.account.before = publish_always
    with (
        target.commands() as commands,
        pytest.raises(UsageError, match="published anew each time"),
    ):
        commands.board("sales", None)


def test_nothing_that_is_being_built_is_read(target: Target) -> None:
    """A run that is refused or goes on changes nothing that is shown."""
    with target.commands() as commands:
        before = commands.board("sales", None)
        target.account.publish(target.clock.now() - timedelta(minutes=9), "refused")
        after = commands.board("sales", "region=north")
        assert after["health"]["data_as_of"] == before["health"]["data_as_of"]
    assert not [each for each in target.account.asked if "_NEXT" in each]


def test_what_cannot_be_said_there_is_refused_by_file_card_and_line(
    target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    with target.commands() as commands:
        with pytest.raises(ConfigError) as refused:
            commands.dashboard("odd", None)
        shown = commands.board("odd", None)
    assert refused.value.where == "dashboards/odd.yml:3: In pieces"
    assert "on prod, line 2 of its query: //: // is no operator" in str(refused.value)
    assert of_card(shown, 0)["problem"]["where"] == refused.value.where
    assert of_card(shown, 1)["rows"]
    with pytest.raises(SystemExit):
        root = str(target.project.root)
        main(["validate", "--target", "prod", "--project-dir", root])
    assert "dashboards/odd.yml:6: //: // is no operator" in capsys.readouterr().out
    assert "amount // 2" in NOT_PORTABLE


NO_WORDS = """title: Apart
rows:
  - - table: In no order
      sql: |
        select
            sale_id,
            lag(amount) over (partition by region) as before
        from {{ ref('fct_sales') }}
"""
BUYERS = """title: Buyers
filters:
  - {name: region, type: multi, column: "{{ ref('fct_sales') }}.region"}
rows:
  - - table: All that was sold to those who bought there
      sql: |
        select sale_id, email
        from {{ ref('fct_sales') }}
        where email in (
            select email from {{ ref('fct_sales') }} where {{ filter('region') }}
        )
        order by sale_id
"""


@contextmanager
def one_more(target: Target, name: str, text: str) -> Iterator[None]:
    path = target.project.root / "dashboards" / f"{name}.yml"
    path.write_text(text)
    try:
        yield
    finally:
        path.unlink()


def test_what_is_refused_as_it_is_asked_is_named_before(
    target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    told = "it needs an ORDER BY in its OVER there"
    with one_more(target, "apart", NO_WORDS), target.commands() as commands:
        with pytest.raises(ConfigError, match="line 3 of its query: LAG") as refused:
            commands.dashboard("apart", None)
        root = str(target.project.root)
        with pytest.raises(SystemExit) as ended:
            main(["validate", "--target", "prod", "--project-dir", root])
    assert refused.value.where == "dashboards/apart.yml:3: In no order"
    assert ended.value.code == 1
    out, err = capsys.readouterr()
    assert "dashboards/apart.yml:7: In no order: LAG(amount) OVER (PARTITION" in out
    assert told in out
    assert "3 places of SQL would not be the same on prod" in err  # and two of others


def test_a_filter_inside_of_a_query_narrows_that_one_alone(target: Target) -> None:
    with one_more(target, "buyers", BUYERS), target.commands() as commands:
        card = commands.dashboard("buyers", "region=south")["cards"][0]
    sold = [list(row[:2]) for row in ROWS if row[1] == "a@x.org"]
    assert card["rows"] == sold
    assert len({row[2] for row in ROWS if row[1] == "a@x.org"}) > 1


SAID = [
    (
        3001,
        "SQL access control error: Insufficient privileges to operate on table 'X'",
        "Insufficient privileges",
        "GRANT SELECT ON ALL TABLES IN SCHEMA SHOP.GOLD TO ROLE ACCOUNTADMIN",
    ),
    (
        630,
        "Statement reached its statement or warehouse timeout of 60 second(s) and was "
        "canceled.",
        "took longer than 60 seconds there",
        "larger warehouse",
    ),
    (
        606,
        "No active warehouse selected in the current session.",
        "No active warehouse",
        "GRANT USAGE ON WAREHOUSE",
    ),
]


def test_what_an_account_refuses_is_told_once_with_its_way(target: Target) -> None:
    with target.commands() as commands:
        for number, said, told, mends in SAID:
            target.account.refuses["(SUM(amount)) AS revenue FROM"] = (number, said)
            chosen = f"region=of-{number}"
            shown = commands.board("sales", chosen)
            sent = len(target.account.sent)
            commands.board("sales", chosen)
            again = target.account.sent[sent:]
            problem = of_card(shown, 0)["problem"]
            assert problem["where"] == "dashboards/sales.yml:7: revenue"
            assert told in problem["problem"]
            assert mends in problem["remedy"]
            assert "Asked was: SELECT (SUM(amount)) AS revenue" in problem["remedy"]
            assert "problem" not in of_card(shown, 1), "the other cards are shown"
            assert not [each for each in again if "SUM(amount)" in each]


def test_an_account_that_is_away_leaves_what_was_answered(target: Target) -> None:
    with target.commands() as commands:
        before = commands.board("sales", None)
        target.account.problem = UnreachableError("shop", "it does not answer", "Up?")
        assert commands.board("sales", None)["cards"] == before["cards"]
        shown = commands.board("sales", "region=south")
        for card in shown["cards"]:
            assert "it does not answer" in card["problem"]["problem"]


def test_nothing_is_shown_before_the_first_publication(target: Target) -> None:
    target.account.log.clear()
    with (
        target.commands() as commands,
        pytest.raises(UsageError) as refused,
    ):
        commands.dashboard("sales", None)
    assert refused.value.remedy == "snowmelt run --target prod"
    assert target.account.asked == []


def test_a_model_that_is_not_there_yet_is_named(target: Target) -> None:
    target.account.refuses["INFORMATION_SCHEMA.COLUMNS"] = (3001, "not authorized to")
    with (
        target.commands() as commands,
        pytest.raises(ConfigError, match="dashboards --target prod: 003001: not"),
    ):
        commands.board("sales", None)
    target.account.refuses.clear()
    target.account.make("GOLD.OTHER", "a BIGINT", [])
    target.account.drop("GOLD.FCT_SALES")
    with (
        target.commands() as commands,
        pytest.raises(ConfigError, match=r"gold\.fct_sales is not on prod"),
    ):
        commands.board("sales", None)
    assert target.account.asked == []


def test_an_answer_by_the_clock_is_kept_for_a_while(target: Target) -> None:
    """It changes by itself, and an open page is no reason to keep asking."""
    board = target.project.root / "dashboards" / "now.yml"
    board.write_text(
        "title: Now\nrows:\n  - - table: All\n      sql: |\n"
        "        select count(*) as n from {{ ref('fct_sales') }}\n"
        "        where sold_on < current_date\n"
    )
    try:
        with target.commands() as commands:
            assert of_card(commands.board("now", None), 0)["rows"] == [[5]]
            asked = len(target.account.asked)
            commands.board("now", None)
            assert len(target.account.asked) == asked
    finally:
        board.unlink()


def test_the_command_shows_them_and_its_own_figures(
    target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    root = str(target.project.root)
    with pytest.raises(SystemExit) as ended:
        main(["dashboards", "sales", "--target", "prod", "--project-dir", root])
    out, err = capsys.readouterr()
    assert ended.value.code in (0, None)
    assert "prod: data as of 20" in err
    assert "Revenue: 86.00" in out
    assert "it's \\ a'trap" in out


def test_a_query_is_asked_of_the_account_or_of_its_history(target: Target) -> None:
    sql = (
        "select region, sum(pieces) / count(*) as mean from gold.fct_sales "
        "where amount > 5 group by all order by mean desc"
    )
    with target.commands() as commands:
        answer = commands.query(sql, None)
        assert answer["columns"] == ["region", "mean"]
        assert answer["rows"] == [
            ["it's \\ a'trap", 4.0],
            ["north", 1.5],
            ["south", 1.0],
        ]
        assert answer["run_id"]
        asked = target.account.asked[-1]
        assert asked.startswith("SELECT region, IFF(COUNT(*) = 0, CAST(SUM(pieces) AS ")
        assert problems(asked) == []
        assert len(commands.query("select * from gold.fct_sales", 2)["rows"]) == 2
        assert target.account.asked[-1].endswith("LIMIT 2")
        sent = len(target.account.sent)
        history = "select count(*) from snowmelt.run_history"
        assert commands.query(history, None)["rows"] == [[1]]
        assert len(target.account.sent) == sent


REFUSED = [
    ("select amount // 2 from gold.fct_sales", "line 1: //: // is no operator"),
    ("delete from gold.fct_sales", "only one query"),
    ("select 1 from gold.fct_sales; drop table gold.fct_sales", "only one query"),
    ("select nosuch from gold.fct_sales", "nosuch"),
    ("select 1 from gold.nosuch", "gold.nosuch is not on prod"),
    ("select 1 from gold_next.fct_sales", "gold_next.fct_sales is not on prod"),
    (
        "select 1 from gold.fct_sales, snowmelt.load_history",
        "snowmelt.load_history is history that is known here",
    ),
    ("select * from gold.fct_sales as a, gold.fct_sales as b", "of one name"),
    ("select a.* from gold.fct_sales as a, gold.fct_sales", "more than 10 rows"),
]


def test_a_query_that_cannot_be_asked_says_why(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("snowmelt.service.targets.querying.ROWS_MAX", 10)
    with target.commands() as commands:
        for sql, told in REFUSED:
            with pytest.raises(SnowmeltError) as refused:
                commands.query(sql, None)
            assert told in str(refused.value), sql
    assert not [e for e in target.account.sent if re.search("drop|delete", e, re.I)]


def test_lineage_and_catalog_ask_nothing(target: Target) -> None:
    with target.commands() as commands:
        commands.board("sales", None)
        sent = len(target.account.sent)
        lineage = commands.lineage("+exposure:sales", None)
        catalog = commands.catalog()
        table = commands.table("gold.fct_sales")
        assert target.account.sent[sent:] == []
    for verb, document in (
        ("lineage", lineage),
        ("catalog", catalog),
        ("table", table),
    ):
        jsonschema_rs.validator_for(ANSWERS[verb]).validate(
            json.loads(json.dumps(document, default=str))
        )
    assert {each["name"] for each in lineage["nodes"]} >= {"fct_sales", "Sales"}
    widths = {each["key"]: each["columns"] for each in catalog["tables"]}
    assert widths["gold.fct_sales"] == len(ROWS[0])
    kinds = {each["name"]: each["type"] for each in table["columns"]}
    assert (kinds["sale_id"], kinds["amount"]) == ("bigint", "decimal(12,2)")
    assert table["sample"]["rows"] == []
    assert {each["name"] for each in table["shown_by"]} == {"sales", "odd"}


def test_what_is_not_published_as_a_whole_is_said(
    target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    with target.commands() as commands:
        cards = commands.board("sales", None)["cards"]
        assert [each["unpublished"] for each in cards] == [[]] * len(cards)
    in_gold = target.project.root / "models" / "gold" / "fct_sales.sql"
    in_silver = target.project.root / "models" / "silver" / "fct_sales.sql"
    in_silver.parent.mkdir()
    in_gold.rename(in_silver)
    target.account.make("SILVER.FCT_SALES", COLUMNS, ROWS[:1])
    root = str(target.project.root)
    try:
        with pytest.raises(SystemExit):
            main(["dashboards", "sales", "--target", "prod", "--project-dir", root])
    finally:
        in_silver.rename(in_gold)
    shown = capsys.readouterr()
    assert "Revenue: 10.00" in shown.out
    assert "silver.fct_sales: as the newest run left it" in shown.err
