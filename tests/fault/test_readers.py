"""Readers see a whole, tested run or the one before it, whatever happens meanwhile."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from shop import make_shop
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
