"""Traces of the small project, whatever happened to it before.

Up and down say the same; a row comes out again when bronze has nothing but what it is
said to be made of; the account of every file adds up to the reconciliation.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from receiver import receiving
from shop import Shop
from small_histories import History
from small_project import (
    CUSTOMERS,
    ORDERS,
    OpenSmall,
    Tables,
    Warm,
    _Undo,
    open_small,
    tables_of,
)
from snowmelt.errors import UsageError
from snowmelt.service.tracing import Tracing
from snowmelt.trace import newest_first as newest
from snowmelt.trace.backward import Backward
from snowmelt.trace.closure import BRONZE_ROW, Closure, all_rows_of
from snowmelt.trace.models import BRONZE, Models
from snowmelt.trace.silver import keys_of_record
from snowmelt.trace.versions import versions_of
from snowmelt.transform.graph import Node
from snowmelt.warehouse.port import Session
from traces import check_agreement, made_tables

LEDGER = ("order_movements", "order_balance")
"""What a stream said when it was read: of that no SQL over today's tables knows."""
PIPES = ("orders", "customers", "items", "visits")


@pytest.fixture(scope="module")
def compiled(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as one that was traced before: dbt is not asked again."""
    root = tmp_path_factory.mktemp("compiled") / "shop"
    with open_small(warm.copy(root)) as commands:
        commands.trace("fct_orders", [], 1)
    return root


@pytest.fixture
def shop(compiled: Path, tmp_path: Path) -> Shop:
    shutil.copytree(compiled, tmp_path / "shop", symlinks=True)
    return Shop(tmp_path / "shop")


def live(shop: Shop, warm: Warm, seed: int, cases: int = 4) -> None:
    history = History(shop, warm, random.Random(seed))
    for _ in range(cases):
        history.happen(History.new_file, History.correction)
    history.close()


# Up and down.


@pytest.mark.long
def test_up_and_down_say_the_same(shop: Shop, warm: Warm) -> None:
    live(shop, warm, seed=11)
    with open_small(shop) as commands:
        met = check_agreement(commands.loop.parts, but=LEDGER)
    assert {"fct_orders", "orders_by_month", "dim_customers", "fct_items"} <= met.keys()
    assert all(met[name] for name in ("fct_orders", "orders_by_month", "dim_customers"))


# Nothing but what it is made of.


def kept_rows(closure: Closure, root: int) -> dict[str, set[int]]:
    """Return the bronze rows that a root is made of, or that let it pass, by table."""
    number = {each: closure.number(each) for each in closure.relations}
    kept: dict[str, set[int]] = {}
    for relation in list(number):
        if relation.kind != BRONZE:
            continue
        kept[relation.key] = {
            row
            for (row,) in closure.session.rows(
                "select row from temp.snowmelt_trace_reach "
                f"where node = {number[relation]} and root = {root}"
            )
        }
    return kept


def decided_tables(models: Models, backward: Backward) -> set[str]:
    """Return the bronze tables all of whose rows may decide."""
    made, found = models.by_key(), set[str]()
    waiting = [
        key
        for notes in backward.decided.values()
        for note in notes
        for key in note.relations
    ]
    while waiting:
        key = waiting.pop()
        if key in models.bronze:
            found.add(key)
        elif key in made:
            waiting += [each.key for each in models.tables_read(made[key])]
    return found


def with_nothing_else(
    session: Session, warm: Warm, kept: dict[str, set[int]], whole: set[str]
) -> Tables:
    """Return what a rebuild makes of these bronze rows alone; nothing stays of it."""
    found: Tables = {}
    try:
        with session.transaction():
            for pipe in PIPES:
                if f"bronze.{pipe}" not in whole:
                    rows = sorted(kept.get(f"bronze.{pipe}", ()))
                    session.execute(
                        f"delete from bronze.{pipe}__all where {BRONZE_ROW} "
                        "not in (select unnest($1::json::bigint[]))",
                        [rows],
                    )
            for statement in warm.rebuild:
                session.execute(statement)
            found = tables_of(session)
            raise _Undo  # noqa: TRY301 - what takes a transaction back
    except _Undo:
        return found


def check_rows(shop: Shop, warm: Warm, seed: int, rows: int) -> int:
    """Take rows at random, and rebuild each of what it is made of alone."""
    lots, compared = random.Random(seed), 0
    with open_small(shop) as commands:
        chosen: list[tuple[Any, ...]] = []
        with Tracing(commands.loop.parts).opened() as (session, models):
            for node in made_tables(models, but=LEDGER):
                if not node.key.startswith("gold."):
                    continue
                found = session.rows(f"select rowid, made from {node.key} as made")
                for rowid, _ in lots.sample(found, min(rows, len(found))):
                    backward = Backward(session, models)
                    backward.trace(node, f"rowid = {rowid}")
                    (row,) = session.rows(
                        f"select * from {node.key} where rowid = {rowid}"
                    )
                    kept = kept_rows(backward.closure, rowid)
                    whole = decided_tables(models, backward)
                    chosen.append((node.key, row, kept, whole))
        with commands.warehouse.session() as session:
            for key, row, kept, whole in chosen:
                left = with_nothing_else(session, warm, kept, whole)
                assert repr(row) in left[key], (key, row, kept, left[key])
                compared += 1
    return compared


def test_a_row_comes_again_of_what_it_is_made_of(shop: Shop, warm: Warm) -> None:
    live(shop, warm, seed=12)
    assert check_rows(shop, warm, seed=12, rows=1) >= 6


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20, 28))
def test_traces_hold_after_any_history(shop: Shop, warm: Warm, seed: int) -> None:
    live(shop, warm, seed, cases=12)
    with open_small(shop) as commands:
        check_agreement(commands.loop.parts, but=LEDGER)
    assert check_rows(shop, warm, seed, rows=6) >= 20


# The account, and single records.

ITEMS = "".join(
    '{"order_id":"%s","line":%d,"sku":"a1","quantity":%d,"price":2.50}\n' % each  # noqa: UP031
    for each in (("o1", 1, 2), ("o1", 2, 1), ("o2", 1, 200))
)


def land_all_kinds(shop: Shop, commands: OpenSmall) -> None:
    """Land records that come to every end there is."""
    shop.land_bytes(
        "orders_2024-03-01.csv",
        f"{ORDERS}o1,c1,aa,open,5.00,2024-01-01,\n"
        "o2,c2,aa,open,x,2024-01-01,\n"  # rejected
        "o3,,aa,open,5.00,2024-01-01,\n"  # quarantined
        "o4,c1,aa,open,5000,2024-01-01,\n"  # dropped
        "o5,c1,aa,paid,7.00,2024-02-01,\n".encode(),
    )
    shop.land_bytes("customers_2024-03-01.csv", f"{CUSTOMERS}c1,aa,1\n".encode())
    shop.land_bytes("items_2024-03-01.json", ITEMS.encode())
    assert commands.run(None)["run"]["state"] == "SUCCEEDED"
    shop.land_bytes(
        "orders_2024-03-02.csv",
        f"{ORDERS}o1,c1,bb,paid,6.00,2024-01-02,\n".encode(),
    )
    assert commands.run(None)["run"]["state"] == "SUCCEEDED"


def test_every_record_says_what_became_of_it(shop: Shop) -> None:
    file = "orders_2024-03-01.csv"
    with open_small(shop) as commands:
        land_all_kinds(shop, commands)

        def fate(row: int) -> dict[str, Any]:
            document = commands.became(file, None, row, 5)
            record: dict[str, Any] = document["record"]
            assert record["line"] == row + 1
            if record.get("rejected"):
                return record
            orders = [
                each for each in record["silver"] if each["model"].endswith("orders")
            ]
            found: dict[str, Any] = orders[0]
            return found

        assert fate(1)["state"] == "older"
        assert fate(1)["newer"]["file_name"] == "orders_2024-03-02.csv"
        assert fate(3)["state"] == "quarantined"
        assert fate(3)["rule"] == "not_null_customer_id"
        assert fate(4)["state"] == "dropped"
        assert fate(5)["state"] == "there"
        rejected = fate(2)
        assert rejected["unreadable"] == ["amount"]
        (would,) = [w for w in rejected["would"] if w["model"] == "silver.orders"]
        assert (would["key"], would["replaces"]) == ({"order_id": "o2"}, False)
        assert {"gold.fct_orders"} == {each["model"] for each in would["touches"]}
        with pytest.raises(UsageError, match="no record 6"):
            fate(6)

        became = commands.became(file, None, 5, 5)
        reached = {each["model"]: each["keys"] for each in became["became"]}
        assert reached["gold.fct_orders"] == [{"order_id": "o5"}]
        assert reached["gold.orders_by_month"] == [{"month": "2024-02-01T00:00:00"}]
        assert reached["gold.orders_by_status"][0]["status"] == "paid"

        down = commands.trace("orders_by_month", ["month=2024-01-01"], 20)
        lines = {
            (row["file_name"], row["line"])
            for each in down["relations"]
            if each["kind"] == BRONZE
            for row in each["rows"]
        }
        assert {
            ("orders_2024-03-02.csv", 2),
            ("items_2024-03-01.json", 1),
            ("items_2024-03-01.json", 2),
            ("customers_2024-03-01.csv", 2),
        } <= lines
        assert not any(each[0] == file and each[1] == 2 for each in lines), "it lost"

        versions = commands.trace("silver.orders", ["order_id=o1"], 20)["versions"]
        assert [each["state"] for each in versions["rows"]] == ["counts", "older"]


def test_a_newer_row_that_a_rule_dropped_is_not_called_older(shop: Shop) -> None:
    """Business time decides first: what is behind it would not count anyway."""
    with open_small(shop) as commands:
        for day, amount, at in (
            ("02", "5.00", "2024-03-02"),  # counts
            ("01", "9999", "2024-03-01"),  # older, whatever its rule says
            ("03", "8888", "2024-03-03"),  # would come first
            ("04", "7777", "2024-02-01"),  # a newer file, an older record
        ):
            row = f"o1,c1,aa,open,{amount},2024-01-01,{at}\n"
            shop.land_bytes(f"orders_2024-03-{day}.csv", f"{ORDERS}{row}".encode())
            assert commands.run(None)["run"]["state"] == "SUCCEEDED"

        def fate(day: str) -> str:
            file = f"orders_2024-03-{day}.csv"
            silver = commands.became(file, None, 1, 5)["record"]["silver"]
            [found] = [e["state"] for e in silver if e["model"] == "silver.orders"]
            return str(found)

        assert {day: fate(day) for day in ("01", "02", "03", "04")} == {
            "01": "older",
            "02": "there",
            "03": "dropped",
            "04": "older",
        }
        versions = commands.trace("silver.orders", ["order_id=o1"], 20)["versions"]
        states = {each["file_name"][15:17]: each["state"] for each in versions["rows"]}
        assert states == {
            "01": "older",
            "02": "counts",
            "03": "dropped",
            "04": "older",
        }


def test_a_file_that_was_written_over_says_so(shop: Shop) -> None:
    name = "orders_2024-03-02.csv"
    with open_small(shop) as commands:
        land_all_kinds(shop, commands)
        shop.land_bytes(name, f"{ORDERS}o9,c1,bb,paid,6.00,2024-01-02,\n".encode())
        assert commands.run(None)["run"]["state"] == "SUCCEEDED"
        newer, older = commands.became(name, None, None, 5)["loads"]
        assert older["superseded_by"] == newer["load_seq"]
        for silver in older["silver"]:
            assert silver["superseded"] == silver["rows"] == 1
        record = commands.became(None, older["load_seq"], 1, 5)["record"]
        assert record["no_line"] == "its file is another version by now"
        assert record["silver"][0]["state"] == "superseded"
        (shop.root / "landing" / name).unlink()
        row = commands.trace("fct_orders", ["order_id=o9"], 20)["relations"]
        (gone,) = [e["rows"][0] for e in row if e["relation"] == "bronze.orders"]
        assert (gone["line"], gone["no_line"]) == (None, "its file is gone")
        assert gone["values"]["order_id"] == "o9"


@pytest.mark.long
def test_accounts_of_files_add_up_to_the_reconciliation(shop: Shop, warm: Warm) -> None:
    live(shop, warm, seed=13)
    with open_small(shop) as commands:
        sums: dict[str, Counter[str]] = {}
        loads = commands.rows("select load_seq from snowmelt.load_history")
        for (load_seq,) in loads:
            (load,) = commands.became(None, load_seq, None, 1)["loads"]
            if load["row_parsed"] and load["status"] != "Load failed":
                assert load["row_parsed"] == load["row_count"] + load["error_count"]
            for each in load["silver"]:
                ends = {k: v for k, v in each.items() if isinstance(v, int)}
                assert ends.pop("rows") == sum(ends.values()), each
                sums.setdefault(each["model"], Counter()).update(ends)
        newest = commands.rows(
            "select model, silver_rows, quarantined_rows, dropped_rows, "
            "deduplicated_rows, superseded_rows from snowmelt.reconciliation "
            "qualify row_number() over (partition by model order by run_id desc) = 1"
        )
    assert len(newest) == 5
    for model, *counted in newest:
        kinds = ("there", "quarantined", "dropped", "older", "superseded")
        assert [sums[model][kind] for kind in kinds] == counted, model


# Words that are off, and what cannot be traced row by row.


def test_words_that_are_off_are_answered_with_what_there_is(shop: Shop) -> None:
    with open_small(shop) as commands:
        land_all_kinds(shop, commands)
        how = commands.trace("fct_orders", [], 20)
        assert how["key_columns"] == ["order_id"]
        assert how["example"].startswith(
            "snowmelt trace gold.fct_orders --key order_id="
        )
        for model, key, told in (
            ("fct_order", "order_id=o1", "gold.fct_orders"),
            ("fct_orders", "id=o1", "its key is order_id"),
            ("fct_orders", "order_id", "its key is order_id"),
            ("orders_by_month", "month=May", "'May' is no timestamp"),
            ("fct_orders", "order_id=nobody", "no such row"),
        ):
            with pytest.raises(UsageError, match=told):
                commands.trace(model, [key], 20)
        with pytest.raises(UsageError, match="no load is of this file"):
            commands.became("nothing.csv", None, None, 20)
        with pytest.raises(UsageError, match="no such column"):
            commands.trace_columns("fct_orders", ["nothing"])


def test_what_is_not_traced_row_by_row_is_named(shop: Shop) -> None:
    """A ledger keeps what left: of its rows today's tables do not know all."""
    name = "orders_2024-03-02.csv"
    with open_small(shop) as commands:
        land_all_kinds(shop, commands)
        shop.land_bytes(name, f"{ORDERS}o9,c1,bb,paid,6.00,2024-01-02,\n".encode())
        assert commands.run(None)["run"]["state"] == "SUCCEEDED"
        found = commands.trace("order_movements", ["order_id=o1"], 20)
        assert not found["exact"]
        (coarse,) = found["coarse"]
        assert coarse["model"] == "gold.order_movements"
        assert "are not what its SQL makes" in coarse["reason"]
        assert coarse["how"] == "bronze.orders by order_id, amount"


@pytest.mark.long
def test_the_command_prints_a_tree_and_the_command_that_helps_next(shop: Shop) -> None:
    with open_small(shop) as commands:
        land_all_kinds(shop, commands)
    down = shop("trace", "fct_orders", "--key", "order_id=o1")
    assert down.code == 0, down.stderr
    assert "orders_2024-03-02.csv:2" in down.stdout
    assert "snowmelt trace --file " in down.stderr
    up = shop("trace", "--file", "orders_2024-03-01.csv", "--row", "2", "--json")
    assert up.document["record"]["rejected"] is True
    columns = shop("trace", "gold.orders_by_month", "--columns", "item_value")
    assert "bronze.items.price   ← pipe items, column price" in columns.stdout
    assert "bronze.items.quantity" in columns.stdout
    assert shop("trace", "fct_orders", "--file", "x").code == 2


def test_a_row_of_a_mended_record_names_the_line_that_was_refused(
    shop: Shop, tmp_path: Path
) -> None:
    file, mended = "orders_2024-03-01.csv", tmp_path / "rejects.ndjson"
    with open_small(shop) as commands:
        land_all_kinds(shop, commands)
        commands.export_rejects(str(mended), "ndjson", None, None)
        mended.write_text(mended.read_text().replace(",x,", ",8.00,"))
        (replayed,) = commands.replay(str(mended))["replayed"]
        assert replayed["loaded"] == 1
        (row,) = bronze_rows(commands.trace("fct_orders", ["order_id=o2"], 20))[
            "bronze.orders"
        ]
        assert (row["file_name"], row["file_row"], row["line"]) == (file, 2, 3)
        refused = commands.became(file, None, None, 5)["loads"][-1]
        assert row["replayed_from"] == refused["load_seq"] != row["load_seq"]
        assert "o2,c2,aa,open,x" in row["record"], "it says what stands in the file"
        assert row["values"]["amount"] == "8.00"
        month = commands.trace("orders_by_month", ["month=2024-01-01"], 20)
        places = {
            (each["file_name"], each["line"])
            for each in bronze_rows(month)["bronze.orders"]
        }
        assert (file, 3) in places
        assert month["exact"]


def bronze_rows(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    return {
        each["relation"]: each["rows"]
        for each in document["relations"]
        if each["kind"] == BRONZE
    }


def test_lines_of_large_files_are_looked_for_when_they_are_asked_for(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("snowmelt.service.places.LINES_BYTES_MAX", 10)
    with open_small(shop) as commands:
        land_all_kinds(shop, commands)
        asked = ("fct_orders", ["order_id=o1"], 20)
        (row,) = bronze_rows(commands.trace(*asked))["bronze.orders"]
        assert (row["line"], row["record"]) == (None, None)
        assert (
            row["no_line"] == "its file is large; the line is looked for with --lines"
        )
        (row,) = bronze_rows(commands.trace(*asked, True))["bronze.orders"]
        assert (row["line"], row["no_line"]) == (2, None)
        assert row["record"].startswith("o1,c1,bb,paid")


# Other versions of a key, looked for where they can be.


def every_version(session: Session, models: Models, node: Node, row: int) -> set[Any]:
    """Return all rows that ever came for a silver row's key, by looking at them all."""
    table = all_rows_of(models.tables_read(node)[0].key)
    made = keys_of_record(models, node, table)
    equal = " and ".join(f"made.{key} = there.{key}" for key in node.unique_key)
    return set(
        session.rows(
            f"select made._load_seq, made._file_row from ({made}) as made "
            f"join {node.key} as there on {equal} where there.rowid = {row}"
        )
    )


def check_versions(shop: Shop) -> Counter[str]:
    met: Counter[str] = Counter()
    with (
        open_small(shop) as commands,
        Tracing(commands.loop.parts).opened() as (session, models),
    ):
        for node in models.graph.nodes.values():
            if node.materialized != "latest_version" or not node.unique_key:
                continue
            for (row,) in session.rows(f"select rowid from {node.key}"):
                found = versions_of(session, models, node, f"rowid = {row}")
                assert found["not_looked_for"] is None
                states = [each["state"] for each in found["rows"]]
                assert states.count("counts") == 1
                places = {
                    (each["load_seq"], each["file_row"]) for each in found["rows"]
                }
                assert len(places) == len(states), "each once"
                assert places == every_version(session, models, node, row), node.key
                met.update(states)
    return met


def test_no_other_version_of_a_key_is_missed(shop: Shop, warm: Warm) -> None:
    live(shop, warm, seed=14)
    with open_small(shop) as commands:  # and what waits for a run
        commands.loop.publishes = False
        keys = commands.rows("select order_id from silver.orders")
        rows = "".join(f" {key} ,c1,aa,open,5,,\n" for (key,) in keys)
        shop.land_bytes("orders_late.csv", f"{ORDERS}{rows}".encode())
        commands.run(None)
    met = check_versions(shop)
    assert {"counts", "older", "superseded", "quarantined", "waiting"} <= met.keys()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(30, 34))
def test_no_other_version_is_missed_after_any_history(
    shop: Shop, warm: Warm, seed: int
) -> None:
    history = History(shop, warm, random.Random(seed), vacuums=random.Random(seed))
    for _ in range(8):
        history.happen(History.new_file, History.correction, History.replay)
    history.close()
    assert check_versions(shop)["older"] > 5


def test_what_is_dear_to_look_through_is_said(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("snowmelt.trace.versions.ROWS_MAX", 1)
    with open_small(shop) as commands:
        land_all_kinds(shop, commands)
        asked = ("silver.orders", ["order_id=o1"], 20)
        found = commands.trace(*asked)["versions"]
        assert [each["state"] for each in found["rows"]] == ["counts"]
        assert (
            "rows of 1 loads would have to be looked through" in found["not_looked_for"]
        )
        found = commands.trace(*asked, True)["versions"]
        assert [each["state"] for each in found["rows"]] == ["counts", "older"]


def test_lineage_is_told_the_columns_that_a_trace_knows(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openlineage.client", reason="extra: lineage")
    monkeypatch.setattr("snowmelt.observe.export.columns.SECONDS_A_RUN", 60.0)
    with receiving() as receiver:
        monkeypatch.setenv("OPENLINEAGE_URL", receiver.url)
        with open_small(shop) as commands:
            land_all_kinds(shop, commands)
            named = commands.trace_columns("fct_orders", ["amount"])["columns"]
    made = [
        event["outputs"][0]["facets"]["columnLineage"]
        for event in receiver.events
        if event["job"]["name"].endswith(".fct_orders")
        and event["eventType"] == "COMPLETE"
        and event["outputs"]  # a test of it has none
    ]
    assert made
    for facet in made:
        (fed,) = facet["fields"]["amount"]["inputFields"]
        (below,) = named[0]["feeds"]
        assert (
            fed["name"] == f"warehouse.{below['relation']}" == "warehouse.silver.orders"
        )
        assert fed["field"] == below["column"]
        assert fed["namespace"].startswith("duckdb://")


def test_a_key_is_found_wherever_its_load_is(
    shop: Shop, warm: Warm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Newest loads first, in steps of any size: the answer is that of one look."""
    live(shop, warm, seed=15, cases=2)
    with open_small(shop) as commands:
        keys = commands.rows("select order_id from silver.orders order by all")
        asked = [("silver.orders", [f"order_id={key}"], 20) for (key,) in keys[:5]]
        wanted = [commands.trace(*each) for each in asked]
        looks: Counter[int] = Counter()
        for steps, loads in (((1, 3), 10_000), ((4, 9), 2), ((1000,), 1)):
            monkeypatch.setattr(newest, "STEPS", steps)
            monkeypatch.setattr(newest, "LOADS_A_STEP", loads)
            with Tracing(commands.loop.parts).opened() as (session, models):
                node = models.by_key()["silver.orders"]
                parts = list(newest.newest_first(session, models, node))
                counted = [
                    session.value(f"select count(*) from silver.orders where {each}")
                    for each in parts
                ]
                total = session.value("select count(*) from silver.orders")
            looks[len(parts)] += 1
            assert sum(counted) == total, "each row meets one of them"
            assert [commands.trace(*each) for each in asked] == wanted
        assert max(looks) > 1
