"""What leaves with the vacuum, what holds it back, and what is told of that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shop import Shop
from small_project import (
    CUSTOMERS,
    ORDERS,
    OpenSmall,
    Warm,
    differences,
    open_small,
    rebuilt,
    tables_of,
)
from snowmelt.gold import vacuum
from snowmelt.gold.vacuum import RetentionConfig
from snowmelt.observe.retention import (
    TABLES,
    Horizons,
    OfAlert,
    OfTime,
    forget_before,
)
from snowmelt.service.vacuuming import LOOK_EVERY_LEAST, Vacuuming

ROWS = "o1,c1,aa,open,1.00,2024-01-01,\no2,c1,aa,open,2.00,2024-01-01,\n"
READERS = ["gold.order_movements", "silver.order_log", "silver.orders"]
AGAIN = "o1,c1,aa,paid,5.00,2024-02-01,\n"


@pytest.fixture
def shop(tmp_path: Path, warm: Warm) -> Shop:
    return warm.copy(tmp_path / "shop")


@pytest.fixture
def open_shop(shop: Shop) -> Iterator[OpenSmall]:
    """A shop whose files of before are settled, and that lets nothing of them go."""
    with open_small(shop) as commands:
        commands.run(None)
        keep(commands, superseded=0)
        commands.vacuum()
        yield commands


def keep(commands: OpenSmall, **periods: object) -> None:
    config = RetentionConfig.model_validate(periods)
    commands.loop.parts.vacuum.config = config
    settings = commands.loop.parts.project.settings
    object.__setattr__(settings, "retention", config)


def load(commands: OpenSmall, shop: Shop, name: str, content: str) -> None:
    """Load a file, and publish nothing."""
    shop.land_bytes(name, content.encode())
    commands.loop.publishes = False
    commands.run(None)
    commands.loop.publishes = True


def in_bronze(commands: OpenSmall, name: str, table: str = "orders") -> int:
    sql = f"select count(*) from bronze.{table}__all where _file = '{name}'"
    return int(commands.rows(sql)[0][0])


def told(document: dict[str, Any], relation: str = "bronze.orders") -> dict[str, Any]:
    return {
        each["state"]: each
        for each in document["tables"]
        if each["relation"] == relation
    }


def require_as_rebuilt(commands: OpenSmall, warm: Warm) -> None:
    with commands.warehouse.session() as session:
        found = differences(tables_of(session), rebuilt(session, warm.rebuild))
    assert not found, found


def test_rows_are_kept_for_their_time(open_shop: OpenSmall, shop: Shop) -> None:
    keep(open_shop, superseded="30d")
    load(open_shop, shop, "orders_1.csv", ORDERS + ROWS)
    load(open_shop, shop, "orders_1.csv", ORDERS + AGAIN)
    open_shop.run(None)
    document = open_shop.vacuum()
    assert document["vacuumed"] == {"rows": 0, "rejects": 0, "loads": 0, "stale": []}
    assert told(document)["kept"]["row_count"] == 2
    assert in_bronze(open_shop, "orders_1.csv") == 3
    keep(open_shop, superseded="forever")
    assert told(open_shop.vacuum(dry_run=True))["kept"]["loads"] == 1


def test_a_stream_that_owes_rows_holds_them(
    open_shop: OpenSmall, shop: Shop, warm: Warm
) -> None:
    shop.land_bytes("orders_1.csv", (ORDERS + ROWS).encode())
    open_shop.run(None)
    load(open_shop, shop, "orders_1.csv", ORDERS + AGAIN)
    held = told(open_shop.vacuum(dry_run=True))["held"]
    assert (held["row_count"], held["held_by"]) == (2, READERS)
    assert open_shop.vacuum()["vacuumed"]["rows"] == 0
    assert in_bronze(open_shop, "orders_1.csv") == 3
    keep(open_shop, superseded=0)
    (waiting,) = (
        each
        for each in open_shop.streams()["streams"]
        if (each["consumer"], each["source"]) == ("silver.orders", "bronze.orders")
    )
    assert waiting["stale_after"] > waiting["waiting_since"]
    assert open_shop.run(None)["run"]["state"] == "SUCCEEDED"
    assert open_shop.vacuum()["vacuumed"]["rows"] == 2
    assert in_bronze(open_shop, "orders_1.csv") == 1
    require_as_rebuilt(open_shop, warm)


RULE = (
    "streams.position >= old.load_seq\n        and streams.position < old.superseded_by"
)
BROKEN_RULES = {
    "nothing is held": "false",
    "not by the stream that read it last": RULE.replace(">=", ">"),
    "not by one that reads the next": RULE.replace(
        "superseded_by", "superseded_by - 1"
    ),
    "for ever": RULE.partition("\n")[0],
    "by one that is done with it": RULE.replace("< old", "<= old"),
}
SHORT = ("nothing is held", "not by one that reads the next", "for ever")


@pytest.mark.parametrize(
    "broken",
    [
        None,
        *(
            pytest.param(each, marks=() if each in SHORT else pytest.mark.long)
            for each in BROKEN_RULES
        ),
    ],
)
def test_exactly_what_a_stream_owes_is_held(
    open_shop: OpenSmall,
    shop: Shop,
    warm: Warm,
    monkeypatch: pytest.MonkeyPatch,
    broken: str | None,
) -> None:
    """The same history under rules that hold too little or too much is found out."""
    if broken is None:
        owe_and_vacuum(open_shop, shop, warm)
        return
    assert RULE in vacuum._HELD
    held = vacuum._HELD.replace(RULE, BROKEN_RULES[broken])
    monkeypatch.setattr(vacuum, "_HELD", held)
    with pytest.raises(AssertionError):
        owe_and_vacuum(open_shop, shop, warm)


def owe_and_vacuum(commands: OpenSmall, shop: Shop, warm: Warm) -> None:
    """Let rows go whenever they may, while streams owe a model that they left."""
    keep(commands, superseded=0, stale_after="14d")
    shop.land_bytes("orders_1.csv", (ORDERS + ROWS).encode())
    commands.run(None)
    load(commands, shop, "orders_1.csv", ORDERS + AGAIN)
    commands.vacuum()
    assert commands.run(None)["run"]["state"] == "SUCCEEDED"
    require_as_rebuilt(commands, warm)
    commands.vacuum()
    assert in_bronze(commands, "orders_1.csv") == 1, "nobody needs the others"
    require_as_rebuilt(commands, warm)


def test_what_no_stream_has_read_is_not_held(open_shop: OpenSmall, shop: Shop) -> None:
    load(open_shop, shop, "orders_1.csv", ORDERS + ROWS)
    load(open_shop, shop, "orders_1.csv", ORDERS + AGAIN)
    assert open_shop.vacuum()["vacuumed"]["rows"] == 2
    assert open_shop.run(None)["run"]["state"] == "SUCCEEDED"


@pytest.mark.long
def test_an_unread_stream_becomes_stale_and_reads_everything(
    open_shop: OpenSmall, shop: Shop, warm: Warm
) -> None:
    shop.land_bytes("orders_1.csv", (ORDERS + ROWS).encode())
    open_shop.run(None)
    load(open_shop, shop, "orders_1.csv", ORDERS + AGAIN)
    keep(open_shop, superseded=0, stale_after="1ms")
    vacuumed = open_shop.vacuum()["vacuumed"]
    assert (vacuumed["rows"], vacuumed["stale"]) == (2, READERS)
    assert stale(open_shop) == READERS
    problems = open_shop.status()["problems"]
    assert len([each for each in problems if "is stale since" in each]) == len(READERS)
    named = "select name from snowmelt.streams where stale order by name"
    assert [name for (name,) in open_shop.rows(named)] == READERS
    refused = open_shop.run(None)["run"]  # a ledger would have every row twice
    assert "order_movements has no offset in its streams, or they are stale" in str(
        refused["failures"]
    )
    let_ledger_be(open_shop)
    run = open_shop.run(None)["run"]
    assert run["state"] == "SUCCEEDED", run
    reason = "select fallback_reason from snowmelt.run_history where run_id = "
    ((told_reason,),) = open_shop.rows(f"{reason}'{run['run_id']}'")
    assert told_reason == "a stream of silver.order_log is stale"
    assert stale(open_shop) == []
    with open_shop.warehouse.session() as session:
        found = differences(tables_of(session), rebuilt(session, warm.rebuild))
    assert not [each for each in found if "order_balance" not in each]
    step = "select rows_out, details from snowmelt.pipeline_log where step = 'vacuum' "
    open_shop.loop.parts.pipeline_log.write()
    ((rows, details),) = open_shop.rows(f"{step} order by started_at desc limit 1")
    assert (rows, json.loads(details)["stale"]) == (2, READERS)


def stale(commands: OpenSmall) -> list[str]:
    streams = commands.streams()["streams"]
    return [each["consumer"] for each in streams if each["stale"]]


def let_ledger_be(commands: OpenSmall) -> None:
    """Let the ledger count as one that has read everything."""
    with commands.warehouse.session() as session:
        session.execute(
            "update snowmelt.stream_offsets set position = "
            "(select max(load_seq) from snowmelt.load_history) "
            "where consumer = 'gold.order_movements'"
        )


def test_slices_go_through_a_load_that_is_larger_than_they(
    open_shop: OpenSmall, shop: Shop
) -> None:
    rows = "".join(f"o{i},c1,aa,open,1,2024-01-01,\n" for i in range(1, 26))
    load(open_shop, shop, "orders_1.csv", ORDERS + rows)
    load(open_shop, shop, "orders_1.csv", ORDERS + AGAIN)
    own = open_shop.loop.parts.vacuum
    own.rows_max = 10
    sizes = []
    while (done := own.step()).more:
        sizes.append(done.rows)
    assert [*sizes, done.rows] == [10, 10, 5]
    assert in_bronze(open_shop, "orders_1.csv") == 1
    counted = "select rows_deleted from snowmelt.vacuumed_loads order by load_seq desc"
    assert open_shop.rows(counted)[0] == (25,)


def test_open_rejects_stay_and_mended_ones_go(
    open_shop: OpenSmall, shop: Shop, tmp_path: Path
) -> None:
    bad = "o3,c1,aa,open,broken,2024-01-01,\no4,c1,aa,open,awry,2024-01-01,\n"
    load(open_shop, shop, "orders_1.csv", ORDERS + ROWS + bad)
    exported = tmp_path / "rejects.ndjson"
    open_shop.export_rejects(str(exported), "ndjson", None, None)
    lines = [json.loads(line) for line in exported.read_text().splitlines()]
    mended = [each for each in lines if "broken" in each["rejected_record"]]
    for each in mended:
        each["rejected_record"] = each["rejected_record"].replace("broken", "3")
    exported.write_text("".join(json.dumps(each) + "\n" for each in mended))
    open_shop.replay(str(exported))
    before = open_shop.reject_groups(None, None)
    assert open_shop.vacuum()["vacuumed"]["rejects"] == 1
    assert open_shop.reject_groups(None, None) == before
    left = open_shop.rows("select rejected_record from snowmelt.rejects")
    assert [bytes(raw).count(b"awry") for (raw,) in left] == [1]
    load(open_shop, shop, "orders_1.csv", ORDERS + ROWS)
    open_shop.run(None)
    assert open_shop.vacuum()["vacuumed"]["rejects"] == 1
    assert open_shop.rows("select count(*) from snowmelt.rejects") == [(0,)]


def test_of_snapshots_only_the_newest_stays(
    open_shop: OpenSmall, shop: Shop, warm: Warm
) -> None:
    for day in (3, 1, 2, 4):  # the first and the second come late
        name = f"customers_2025-01-0{day}.csv"
        load(open_shop, shop, name, f"{CUSTOMERS}c1,aa,{day}\n")
    open_shop.run(None)
    assert open_shop.vacuum()["vacuumed"]["rows"] == 4
    newest = "select _file from bronze.customers__all"
    assert open_shop.rows(newest) == [("customers_2025-01-04.csv",)]
    require_as_rebuilt(open_shop, warm)


def test_a_file_of_which_nothing_is_left_is_known_still(
    open_shop: OpenSmall, shop: Shop
) -> None:
    load(open_shop, shop, "orders_1.csv", ORDERS + ROWS)
    load(open_shop, shop, "orders_1.csv", ORDERS + AGAIN)
    open_shop.run(None)
    open_shop.vacuum()
    load(open_shop, shop, "orders_1.csv", ORDERS + ROWS)  # A, B, A: a third version
    states = open_shop.rows(
        "select row_count, superseded_by is null from snowmelt.load_history "
        "where file_name = 'orders_1.csv' order by load_seq"
    )
    assert states == [(2, False), (1, False), (2, True)]
    shop.land_bytes("orders_1.csv", (ORDERS + ROWS).encode())
    load(open_shop, shop, "other.txt", "")
    count = (
        "select count(*) from snowmelt.load_history where file_name = 'orders_1.csv'"
    )
    assert open_shop.rows(count) == [(3,)]


def test_the_record_of_runs_keeps_what_is_published(
    open_shop: OpenSmall, shop: Shop
) -> None:
    load(open_shop, shop, "orders_1.csv", ORDERS + ROWS)
    published = open_shop.run(None)["run"]["run_id"]
    parts = open_shop.loop.parts
    parts.pipeline_log.write()
    later = parts.clock.now() + timedelta(days=1)
    with parts.warehouse.session() as session:
        forget_before(session, Horizons(later, later, later))
    runs = [
        run_id
        for (run_id,) in open_shop.rows("select run_id from snowmelt.run_history")
    ]
    named = {
        run_id
        for (run_id,) in open_shop.rows("select run_id from snowmelt.reconciliation")
    }
    assert set(runs) == named | {published}
    assert open_shop.rows("select count(*) from snowmelt.node_history") == [(0,)]
    assert open_shop.rows("select count(*) from snowmelt.pipeline_log") == [(0,)]
    load(open_shop, shop, "orders_2.csv", ORDERS + AGAIN)
    run = open_shop.run(None)["run"]
    assert (run["state"], run["way"]) == ("SUCCEEDED", "replay"), run


def test_every_table_that_is_kept_for_a_time_is_there(open_shop: OpenSmall) -> None:
    known = set(
        open_shop.rows(
            "select table_name, column_name from duckdb_columns() "
            "where schema_name = 'snowmelt'"
        )
    )
    for each in TABLES:
        column = "alert_id" if isinstance(each, OfAlert) else "run_id"
        column = each.at if isinstance(each, OfTime) else column
        assert (each.table, column) in known


@pytest.mark.parametrize("given", ["30", "ever", -1, 30, ["30d"]])
def test_a_period_that_is_none_is_refused(given: object) -> None:
    with pytest.raises(ValueError, match="or 0, or forever"):
        RetentionConfig.model_validate({"superseded": given})


def test_no_table_waits_for_what_is_new_in_another(
    open_shop: OpenSmall, shop: Shop
) -> None:
    """The oldest go first: a feed of snapshots always has something to let go."""
    load(open_shop, shop, "orders_1.csv", ORDERS + ROWS)
    load(open_shop, shop, "orders_1.csv", ORDERS + AGAIN)
    own = open_shop.loop.parts.vacuum
    own.rows_max = 1
    for day in range(1, 4):
        name = f"customers_2025-01-0{day}.csv"
        load(open_shop, shop, name, f"{CUSTOMERS}c1,aa,{day}\n")
        own.step()
    assert in_bronze(open_shop, "orders_1.csv") == 1


def test_a_busy_service_does_one_slice_between_two_runs(
    open_shop: OpenSmall, shop: Shop
) -> None:
    load(open_shop, shop, "orders_1.csv", ORDERS + ROWS)
    load(open_shop, shop, "orders_1.csv", ORDERS + AGAIN)
    own, now = open_shop.loop.parts.vacuum, open_shop.loop.parts.clock.now()
    own.rows_max = 1
    vacuuming = Vacuuming(own, now)
    assert vacuuming.overdue(now) is None, "it is not due yet"
    later = now + LOOK_EVERY_LEAST * 3
    given = []
    for _ in range(7):
        work = vacuuming.overdue(later)
        given.append(work is not None)
        if work is not None:
            work()
    assert given == [True, False, True, False, True, False, False]
    assert in_bronze(open_shop, "orders_1.csv") == 1
