"""Row rules judge each bronze row: good ones go on, the others are accounted for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gated_shop import MODEL, GatedShop, gated_shop, write_rules

from forms import with_long
from snowmelt.errors import ConfigError
from snowmelt.project.new import make_project

Rule = dict[str, Any]


def rule(kind: str, column: str | None = None, **more: object) -> Rule:
    named = {} if column is None else {"column": column}
    return {"rule": kind, **named, **more}


# (rules, rows, ids that go on, rules that refused in the order of the rows)
CASES: dict[str, tuple[list[Rule], list[str], str, list[str]]] = {
    "not_null": (
        [rule("not_null", "status")],
        ["a,x", "b", "c,y"],
        "a c",
        ["not_null_status"],
    ),
    "a null key": ([], ["a", ",x", "c"], "a c", ["not_null_id"]),
    "a null passes all but not_null": (
        [
            rule("email", "email"),
            rule("between", "amount", low=1, high=2),
            rule("in_set", "status", values=["x"]),
            rule("matches", "status", pattern="x"),
            rule("expression", expression="shipped_on >= sold_on"),
        ],
        ["a"],
        "a",
        [],
    ),
    "email": (
        [rule("email", "email")],
        [
            "a,,,me@example.org",
            "b,,,first.last+tag@sub.example.co.uk",
            "c,,,o'neil@example.org",
            "d,,,jörg@exämple.de",
            "e,,,me@example",
            "f,,,@example.org",
            "g,,,me@@example.org",
            "h,,,me@example..org",
            "i,,,.me@example.org",
            "j,,,see me@example.org",
            "k,,,<me@example.org>",
            "l,,,me@-example.org",
            "m,,,me@example.org.",
            "n,,,me",
        ],
        "a b c d",
        ["email_email"] * 10,
    ),
    "between, both ends included": (
        [rule("between", "amount", low=1, high=2.5)],
        ["a,,1", "b,,2.50", "c,,0.99", "d,,2.51", "e,,-1"],
        "a b",
        ["between_amount"] * 3,
    ),
    "between dates": (
        [rule("between", "sold_on", low="2018-01-01", high="2018-12-31")],
        ["a,,,,2018-01-01", "b,,,,2017-12-31", "c,,,,2018-12-31"],
        "a c",
        ["between_sold_on"],
    ),
    "in_set of numbers": (
        [rule("in_set", "amount", values=[1, 2.5, "3"])],
        ["a,,1", "b,,2.5", "c,,3", "d,,4"],
        "a b c",
        ["in_set_amount"],
    ),
    "in_set of dates": (
        [rule("in_set", "sold_on", values=["2018-01-01"])],
        ["a,,,,2018-01-01", "b,,,,2018-01-02"],
        "a",
        ["in_set_sold_on"],
    ),
    "in_set of booleans": (
        [rule("in_set", "paid", values=[True])],
        ["a,,,,,true", "b,,,,,false"],
        "a",
        ["in_set_paid"],
    ),
    "values and names with quotes": (
        [
            rule("in_set", "status", values=["it's", 'a "b"'], name='what\'s "it"'),
            rule("matches", "email", pattern="[^']*", name="no '"),
        ],
        ["a,it's", 'b,"a ""b"""', "c,its", "d,it's,,o'neil"],
        "a b",
        ['what\'s "it"', "no '"],
    ),
    "matches the whole value": (
        [rule("matches", "status", pattern="[A-Z]{2}")],
        ["a,SP", "b,SPX", "c,sp", "d, SP"],
        "a",
        ["matches_status"] * 3,
    ),
    "matches a number as text": (
        [rule("matches", "amount", pattern=r"\d+\.00")],
        ["a,,3", "b,,3.10"],
        "a",
        ["matches_amount"],
    ),
    "an expression over two columns, with a comment": (
        [
            rule(
                "expression",
                expression="shipped_on >= sold_on -- never before",
                name="shipped_after_sold",
            )
        ],
        [
            "a,,,,2018-01-01,,2018-01-02",
            "b,,,,2018-01-03,,2018-01-02",
            "c,,,,2018-01-03",
        ],
        "a c",
        ["shipped_after_sold"],
    ),
    "the first rule that refuses decides": (
        [
            rule("between", "amount", low=0, high=9, on_failure="drop"),
            rule("in_set", "status", values=["x"]),
            rule("not_null", "email", on_failure="quarantine"),
        ],
        ["a,x,1,a@b.c", "b,y,99", "c,y,1", "d,x,1"],
        "a",
        ["in_set_status", "not_null_email"],
    ),
    "a column in another case": (
        [rule("between", "AMOUNT", low=0, high=9)],
        ["a,,1", "b,,10"],
        "a",
        ["between_AMOUNT"],
    ),
}


@pytest.mark.parametrize(
    "case", with_long(CASES, 4), ids=lambda name: name.replace(" ", "_")
)
def test_what_a_rule_refuses(tmp_path: Path, case: str) -> None:
    rules, rows, ids, refused = CASES[case]
    with gated_shop(tmp_path / "shop", rules) as shop:
        shop.land("orders_1.csv", *rows)
        assert shop.run()["state"] == "SUCCEEDED"
        assert shop.ids() == ids
        assert [row[0] for row in shop.refused()] == refused


def test_all_rules_that_refuse_a_row_and_its_values_are_kept(tmp_path: Path) -> None:
    rules = [
        rule("between", "amount", low=0, high=9),
        rule("in_set", "status", values=["x"], on_failure="drop"),
        rule("not_null", "email", on_failure="warn"),
    ]
    with gated_shop(tmp_path / "shop", rules) as shop:
        shop.land("orders_1.csv", "a,y,12345678.90")
        shop.run()
        ((named, values),) = shop.rows(
            'select rules, refused_row::json from quarantine."silver__orders"'
        )
    assert named == ["between_amount", "in_set_status"]
    assert '"amount":"12345678.90"' in values
    assert '"email":null' in values
    assert "_outcome" not in values


def test_what_becomes_of_rows_is_counted(tmp_path: Path) -> None:
    rules = [
        rule("in_set", "status", values=["x", "y"], on_failure="drop"),
        rule("between", "amount", low=0, high=9),
        rule("not_null", "email", on_failure="warn"),
    ]
    with gated_shop(tmp_path / "shop", rules, totals=True) as shop:
        shop.land("orders_1.csv", "a,x,1", "b,z,1", "c,x,99", ",x,1", "d,y,,e@f.gh")
        run = shop.run()
        assert shop.ids() == "a d"
        (account,) = run["reconciliation"]
        assert account == {
            "model": "silver.orders",
            "bronze_rows": 5,
            "silver_rows": 2,
            "quarantined_rows": 2,
            "dropped_rows": 1,
            "superseded_rows": 0,
            "deduplicated_rows": 0,
            "newly_quarantined": 2,
            "newly_dropped": 1,
        }
        (warning,) = run["warnings"]
        assert (warning["node"], warning["failures"]) == ("orders.rules", 1)
        assert "not_null_email" in warning["message"]
        status = shop.commands.status()
        (kept,) = status["reconciliation"]
        assert kept.pop("quarantined_open") == 2
        assert kept == {n: v for n, v in account.items() if not n.startswith("newly")}
        assert [f["status"] for f in status["last_run"]["failures"]] == ["warn"]


def test_a_rule_that_fails_stops_the_run_and_says_what_to_do(tmp_path: Path) -> None:
    rules = [rule("between", "amount", low=0, high=9, on_failure="fail")]
    with gated_shop(tmp_path / "shop", rules, totals=True) as shop:
        shop.land("orders_1.csv", "a,x,1")
        shop.run()
        before = shop.rows("select * from gold.totals"), shop.ids()
        rows = [f"b{i},x,{i}" for i in range(40)]
        shop.land("orders_2.csv", *rows)
        for way in ("dbt", "dbt"):  # it is tried again, and fails again
            run = shop.run()
            assert (run["state"], run["way"]) == ("FAILED", way)
            (failure,) = run["failures"]
            assert failure["node"] == "orders.between_amount"
            assert failure["failures"] == 30
            for told in ("30 rows", "between_amount", "record 11 of orders_2.csv"):
                assert told in failure["message"]
            assert len(failure["rows"]) == 20, "publish.failing_rows_max"
            assert failure["rows"][0]["_file_row"] == 11
            assert (shop.rows("select * from gold.totals"), shop.ids()) == before
            assert shop.refused() == []
        kept = shop.commands.status()["last_run"]["failures"]
        assert [(each["failures"], len(each["rows"])) for each in kept] == [(30, 20)]
        shop.land("orders_2.csv", *rows[:10])
        assert shop.run()["state"] == "SUCCEEDED"
        assert len(shop.ids().split()) == 11


def test_a_rule_fails_a_run_that_is_replayed_too(tmp_path: Path) -> None:
    rules = [rule("between", "amount", low=0, high=9, on_failure="fail")]
    with gated_shop(tmp_path / "shop", rules) as shop:
        for number in range(4):
            shop.land(f"orders_{number}.csv", f"a{number},x,1")
            assert shop.run()["state"] == "SUCCEEDED"
        shop.land("orders_9.csv", "b,x,1", "c,x,10")
        run = shop.run()
        assert (run["way"], run["state"]) == ("replay", "FAILED")
        assert "record 2 of orders_9.csv" in run["error"]
        assert shop.ids() == "a0 a1 a2 a3"


def everything(shop: GatedShop) -> list[Any]:
    """Return silver, gold, quarantine and the account, whatever built them."""
    return [
        shop.rows("select * exclude (_load_seq) from silver.orders order by id"),
        shop.rows("select * from gold.totals order by all"),
        shop.rows('select * from quarantine."silver__orders" order by all'),
        shop.rows("select * from snowmelt.row_tallies order by all"),
        shop.commands.status()["reconciliation"],
    ]


@pytest.mark.long
def test_quarantine_after_corrections_is_that_of_a_rebuild(tmp_path: Path) -> None:
    rules = [
        rule("between", "amount", low=0, high=9),
        rule("in_set", "status", values=["x", "y"], on_failure="drop"),
        rule("not_null", "email", on_failure="warn"),
    ]
    with gated_shop(tmp_path / "shop", rules, totals=True) as shop:
        files = [
            ("orders_1.csv", ["a,x,1", "b,x,99", ",y,1"]),
            ("orders_2.csv", ["a,y,2", "c,z,1", "d,x,99,d@e.fg"]),
            ("orders_3.csv", ["b,x,3", "b,x,50"]),
            ("orders_1.csv", ["a,x,11", "b,x,9", "e,y,1"]),
            ("orders_2.csv", ["d,x,9", "f,z,1"]),
            ("orders_4.csv", ["f,y,7", "a,x,10"]),
            ("orders_3.csv", ["b,q,3"]),
            ("orders_1.csv", ["a,x,1", "b,x,99", ",y,1"]),
        ]
        ways = []
        for name, rows in files:
            shop.land(name, *rows)
            run = shop.run()
            assert run["state"] == "SUCCEEDED", run["error"]
            ways.append(run["way"])
        assert "replay" in ways
        grown = everything(shop)
        assert grown[2], "an empty quarantine proves nothing"
        assert shop.commands.rebuild()["run"]["state"] == "SUCCEEDED"
        assert everything(shop) == grown


def test_rows_come_back_by_themselves_when_the_rule_changes(tmp_path: Path) -> None:
    root = tmp_path / "shop"
    with gated_shop(root, [rule("between", "amount", low=0, high=9)]) as shop:
        shop.land("orders_1.csv", "a,x,1", "b,x,99")
        shop.run()
        assert shop.ids() == "a"
        write_rules(root, [rule("between", "amount", low=0, high=99)])
        run = shop.run()
        assert run["reason"] == "the dbt project changed"
        assert (shop.ids(), shop.refused()) == ("a b", [])
        (account,) = shop.commands.status()["reconciliation"]
        assert (account["silver_rows"], account["quarantined_rows"]) == (2, 0)


WRONG: dict[str, tuple[object, list[str]]] = {
    "kind": ([rule("betwen", "amount")], ["betwen is not known", "between, in_set"]),
    "key missing": ([rule("between", "amount", low=1)], ["between_amount", "'high'"]),
    "key unknown": (
        [rule("not_null", "amount", values=1)],
        ["not_null_amount", "'values'", "rule, name, on_failure, column"],
    ),
    "on_failure": (
        [rule("not_null", "amount", on_failure="stop")],
        ["not_null_amount", "stop is not known", "drop, quarantine, fail, warn"],
    ),
    "column": (
        [rule("not_null", "amoun")],
        ["not_null_amoun", "there is no column 'amoun'", "id, status, amount"],
    ),
    "a word": (["not_null"], ["rule 1 (not_null) is written"]),
    "no list": (rule("not_null", "id"), ["rules: is a list"]),
    "no values": ([rule("in_set", "amount", values=[])], ["in_set_amount", "a list"]),
    "a null": (
        [rule("in_set", "amount", values=[None])],
        ["in_set_amount", "no value"],
    ),
    "one name": ([rule("not_null", "amount")] * 2, ["two rules", "not_null_amount"]),
    "null key": (
        [rule("not_null", "id", on_failure="warn")],
        ["not_null_id", "a key is never null"],
    ),
    "expression": (
        [rule("expression", expression="nope > 1", name="odd")],
        ['"nope" not found'],
    ),
    "pattern": ([rule("matches", "status", pattern="[")], ["missing ]"]),
}


# dbt leaves its pool of threads to the garbage when it cannot compile
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("case", with_long(WRONG, 2))
def test_a_rule_that_is_wrong_is_named(tmp_path: Path, case: str) -> None:
    rules, told = WRONG[case]
    with gated_shop(tmp_path / "shop", rules) as shop:
        with pytest.raises(ConfigError) as error:
            shop.commands.validate()
        run = shop.run()
    assert run["state"] == "FAILED"
    for text in ("model orders", *told):
        assert text in str(error.value)
        assert text in run["error"]


def test_a_model_that_reads_bronze_whole_is_refused(tmp_path: Path) -> None:
    whole = MODEL.replace("snowmelt.stream", "source")
    with gated_shop(tmp_path / "shop", [], whole) as shop:
        with pytest.raises(ConfigError) as error:
            shop.commands.validate()
        run = shop.run()
    assert error.value.where == "models/silver/orders.sql:5"
    line = "from {{ snowmelt.stream('bronze', 'orders') }}"
    assert line in error.value.remedy
    assert run["state"] == "FAILED"
    assert f"Write: {line}" in run["error"]


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("case", ["_version_at", "unique_key"])
def test_a_model_without_a_column_that_its_making_takes_is_refused(
    tmp_path: Path, case: str
) -> None:
    model, told = MODEL.replace(", _version_at", ""), "Select also: _version_at"
    if case == "unique_key":
        model = MODEL.replace("unique_key='id'", "unique_key='key'")
        told = "there is no column 'key'"
    with gated_shop(tmp_path / "shop", [], model) as shop:
        with pytest.raises(ConfigError, match=told) as error:
            shop.commands.validate()
        assert error.value.where == "models/silver/orders.sql"
        assert told in shop.run()["error"]


def test_the_silver_model_that_the_template_shows_is_in_order(tmp_path: Path) -> None:
    root = tmp_path / "shop"
    make_project(root, "blank")
    shown = (root / "models/silver/README.md").read_text()
    model = shown.split("```sql\n")[1].split("```")[0].replace("order_id", "id")
    with gated_shop(root, [rule("in_set", "status", values=["paid"])], model) as shop:
        document = shop.commands.validate()
        gold = root / "models/gold/totals.sql"
        gold.write_text("select\n    amont\nfrom {{ ref('orders') }}\n")
        with pytest.raises(ConfigError, match='"amont" not found') as error:
            shop.commands.validate()
    assert (document["pipes"], document["warnings"]) == (["orders"], [])
    assert error.value.where == "models/gold/totals.sql:2", "neither is built yet"


def test_a_model_that_leaves_rows_out_by_itself_is_told_of(tmp_path: Path) -> None:
    leaving = MODEL.replace("-- a comment", "where status <> 'z' -- a comment")
    with gated_shop(tmp_path / "shop", [], leaving) as shop:
        shop.land("orders_1.csv", "a,x", "b,z")
        run = shop.run()
        assert run["state"] == "FAILED"
        assert "read 1 of the 2 rows of load 1 (orders_1.csv)" in run["error"]
        assert "on_failure: drop" in run["error"]


def replayed(shop: GatedShop) -> None:
    """Let four runs pass, the last of which is replayed."""
    for number in range(4):
        shop.land(f"orders_{number}.csv", f"a{number},x,1", f"b{number},x,99")
        run = shop.run()
        assert run["state"] == "SUCCEEDED", run["error"]
    assert run["way"] == "replay"


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("delete from snowmelt.row_tallies where load_seq = 2", "has read 8 rows"),
        pytest.param(
            'delete from quarantine."silver__orders" where _load_seq = 2',
            "in quarantine",
            marks=pytest.mark.long,
        ),
        pytest.param(
            "delete from silver.orders where id = 'a1'",
            "should have 5 rows",
            marks=pytest.mark.long,
        ),
        pytest.param(
            "insert into silver.orders from silver.orders limit 1",
            "should have 5 rows",
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_lost_or_doubled_row_fails_the_next_run(
    tmp_path: Path, broken: str, told: str
) -> None:
    with gated_shop(
        tmp_path / "shop", [rule("between", "amount", low=0, high=9)]
    ) as shop:
        replayed(shop)
        with shop.loop.parts.warehouse.session() as session:
            session.execute(broken)
        shop.land("orders_9.csv", "c,x,1", "d,x,99")
        run = shop.run()
        assert run["state"] == "FAILED"
        assert told in run["error"], run["error"]
        assert "snowmelt rebuild" in run["error"]
        assert shop.commands.rebuild()["run"]["state"] == "SUCCEEDED"
        assert len(shop.ids().split()) == 5


@pytest.mark.parametrize(
    ("statement", "broken", "told"),
    [
        (
            "_load_seq >",
            "_file_row > 1 and _load_seq >",
            "read 1 of the 2 rows of load 5",
        ),
        pytest.param(
            "insert into",
            "-- insert into",
            "should have 5 rows",
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_statement_that_loses_a_row_fails_its_run(
    tmp_path: Path, statement: str, broken: str, told: str
) -> None:
    with gated_shop(
        tmp_path / "shop", [rule("between", "amount", low=0, high=9)]
    ) as shop:
        replayed(shop)
        recordings = shop.loop.parts.publication._builder._recordings
        recording = recordings.nodes["model.my_project.orders"]
        recording.statements[:] = [
            each.replace(statement, broken)
            if statement != "insert into" or 'insert into "warehouse"."silver"' in each
            else each
            for each in recording.statements
        ]
        shop.land("orders_9.csv", "c,x,1", "d,x,99")
        run = shop.run()
        assert (run["way"], run["state"]) == ("replay", "FAILED")
        assert told in run["error"], run["error"]


def test_failing_rows_of_a_test_on_changes_are_kept_and_counted(tmp_path: Path) -> None:
    between = {"snowmelt.between": {"arguments": {"low": 0, "high": 9}}}
    with gated_shop(tmp_path / "shop", []) as shop:
        write_rules(shop.shop.root, [], {"amount": [between]})
        for number in range(4):
            shop.land(f"orders_{number}.csv", f"a{number},x,1")
            assert shop.run()["state"] == "SUCCEEDED"
        shop.land("orders_9.csv", *(f"b{i},x,{i}" for i in range(40)))
        run = shop.run()
        assert (run["way"], run["state"]) == ("replay", "FAILED")
        (failure,) = run["failures"]
        assert (failure["failures"], len(failure["rows"])) == (30, 20)
        kept = shop.rows(
            "select form, failures, (select count(*) from snowmelt.test_failures "
            "where run_id = node.run_id) from snowmelt.node_history as node "
            "where status = 'fail'"
        )
        assert kept == [("delta", 30, 20)]
        assert shop.ids() == "a0 a1 a2 a3"


def test_a_load_of_unusual_size_is_told_of(tmp_path: Path) -> None:
    with gated_shop(tmp_path / "shop", []) as shop:
        for number in range(9):
            rows = [f"{number}-{i},x,1" for i in range(10 + number % 3)]
            shop.land(f"orders_{number}.csv", *rows)
            if number in (0, 8):
                assert shop.run()["warnings"] == []
        shop.land("orders_a.csv", "z,x,1")
        run = shop.run()
        assert run["state"] == "SUCCEEDED"
        (warning,) = run["warnings"]
        assert warning["node"] == "orders"
        assert warning["message"] == (
            "orders_a.csv has 1 row, the last 9 loads of pipe orders have 11 as a rule"
        )
        last = shop.commands.status()["last_run"]["failures"]
        assert [(each["resource_type"], each["status"]) for each in last] == [
            ("volume", "warn")
        ]
        steps = shop.commands.log(None, "volume", None, 9)["steps"]
        assert [(each["object"], each["status"]) for each in steps] == [
            ("orders", "warn")
        ]
