"""Readers see a whole, tested run or the one before it, whatever happens meanwhile."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from shop import make_shop
from small_histories import item
from small_project import ORDERS, OpenSmall, Warm, open_small
from snowmelt.service.commands import OwnCommands
from snowmelt.synth.olist import make_olist

# One snapshot of gold: figures of the fact, and the same ones from what is made of it.
SNAPSHOT = """
    select
        (select count(*) from gold.fct_orders) as orders,
        (select sum(orders)::int from gold.monthly_metrics) as by_month,
        (select sum(orders)::int from gold.orders_by_state) as by_state,
        (select sum(orders)::int from gold.dim_customers) as by_customer,
        (select sum(payment_value) from gold.fct_orders) as paid,
        (select sum(payment_value) from gold.monthly_metrics) as paid_by_month,
        (select max(review_score) from gold.fct_orders) as best
"""
BAD_REVIEW = (
    "review_id,order_id,review_score,review_comment_title,review_comment_message,"
    "review_creation_date,review_answer_timestamp\n"
    "r,{order},9,,,2018-04-01 00:00:00,2099-01-0{day} 00:00:00\n"
)


def read(commands: OwnCommands, seen: list[list[Any]], stop: threading.Event) -> None:
    while not stop.is_set():
        seen.append(commands.query(SNAPSHOT, None)["rows"][0])


@pytest.mark.long
def test_no_reader_sees_a_mixed_or_untested_state(tmp_path: Path) -> None:
    files = tmp_path / "files"
    make_olist(files, orders=300, seed=8, parts=6)
    shop = make_shop(tmp_path / "shop")
    for path in sorted(files.glob("*.csv")):
        if not path.stem.endswith(("0002", "0003", "0004", "0005", "0006")):
            shop.land(path)
    states = []
    seen: list[list[Any]] = []
    stop = threading.Event()
    with shop.commands() as commands:
        assert commands.run(None)["run"]["state"] == "SUCCEEDED"
        order = commands.query("select min(order_id) from gold.fct_orders", None)
        readers = [
            threading.Thread(target=read, args=(commands, seen, stop)) for _ in range(2)
        ]
        for reader in readers:
            reader.start()
        for part in range(2, 7):
            for path in sorted(files.glob(f"*_{part:04d}.csv")):
                shop.land(path)
            bad = part % 2 == 0
            if bad:
                review = BAD_REVIEW.format(order=order["rows"][0][0], day=part)
                shop.land_bytes("olist_order_reviews_dataset_bad.csv", review.encode())
            states.append(commands.run(None)["run"]["state"])
            if bad:
                cured = review.replace(",9,", ",1,")
                shop.land_bytes("olist_order_reviews_dataset_bad.csv", cured.encode())
                states.append(commands.run(None)["run"]["state"])
        stop.set()
        for reader in readers:
            reader.join()
    assert states.count("FAILED") == 3
    assert states.count("SUCCEEDED") == 5
    assert len(seen) > 50
    for orders, by_month, by_state, by_customer, paid, paid_by_month, best in seen:
        assert orders == by_month == by_state == by_customer > 0
        assert paid == paid_by_month
        assert best <= 5, "a row that its test refuses was seen"
    assert len({row[0] for row in seen}) > 2, "the readers saw gold change"


# Which run is shown, and its figures, each counted on two ways.
PUBLISHED = """
    select
        (
            select run_id from snowmelt.run_history
            where state = 'SUCCEEDED'
            order by started_at desc limit 1
        ) as run_id,
        (select count(*) from silver.orders) as orders,
        (select count(*) from gold.fct_orders) as facts,
        (select sum(orders)::int from gold.orders_by_month) as by_month,
        (select sum(orders)::int from gold.orders_by_status) as by_status,
        (select sum(amount) from gold.fct_orders) as amount,
        (select sum(amount) from gold.orders_by_month) as amount_by_month,
        (select min(item_value) from gold.fct_orders) as least
"""


def read_published(
    commands: OpenSmall, seen: set[tuple[Any, ...]], stop: threading.Event
) -> None:
    while not stop.wait(0.003):
        seen.add(commands.rows(PUBLISHED)[0])


def publish_often(
    warm: Warm, root: Path, runs: int
) -> tuple[set[tuple[Any, ...]], dict[str, tuple[Any, ...]], list[str]]:
    """Publish while readers read; a tenth of the runs has a row that a test refuses.

    Return what was seen, what each published run held, and the runs that failed.
    """
    shop = warm.copy(root)
    seen: set[tuple[Any, ...]] = set()
    held: dict[str, tuple[Any, ...]] = {}
    failed: list[str] = []
    stop = threading.Event()
    with open_small(shop) as commands:
        first = commands.rows(PUBLISHED)[0]
        held[first[0]] = first
        readers = [
            threading.Thread(target=read_published, args=(commands, seen, stop))
            for _ in range(2)
        ]
        for reader in readers:
            reader.start()
        for number in range(runs):
            row = f"r{number},c1,aa,open,{number % 900}.50,2024-0{number % 9 + 1}-01,\n"
            name = f"orders_{max(number - number % 4, 1)}.csv"  # often a correction
            shop.land_bytes(name, f"{ORDERS}{row}".encode())
            price = -99999 if number % 10 == 5 else 1
            line = item("w0", 2, "a1", 1, price)
            if number % 10 in (5, 6):
                shop.land_bytes("items_bad.json", line.encode())
            run = commands.run(None)["run"]
            if run["state"] == "SUCCEEDED":
                held[run["run_id"]] = commands.rows(PUBLISHED)[0]
            else:
                failed.append(run["run_id"])
        stop.set()
        for reader in readers:
            reader.join()
        for run_id in failed:
            kept = commands.rows(
                "select test, failing_row from snowmelt.test_failures "
                f"where run_id = '{run_id}'"
            )
            assert any("item_value" in row for _, row in kept), (run_id, kept)
    return seen, held, failed


@pytest.mark.parametrize(
    "runs",
    [
        12,
        pytest.param(1000, marks=[pytest.mark.long, pytest.mark.timeout(1800)]),
    ],
)
def test_what_readers_see_is_what_one_run_published(
    tmp_path: Path, warm: Warm, runs: int
) -> None:
    seen, held, failed = publish_often(warm, tmp_path / "shop", runs)
    assert len(failed) == runs // 10
    assert len(seen) > runs // 3, "the readers saw gold change"
    for figures in seen:
        run_id, orders, facts, by_month, by_status, amount, amount_by_month, least = (
            figures
        )
        assert figures == held[run_id], "figures of one run under the name of another"
        assert orders == facts == by_month == by_status > 0
        assert amount == amount_by_month
        assert least >= 0, "a row that its test refuses was seen"
