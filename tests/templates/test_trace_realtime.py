"""Traces of the realtime template: up and down say the same.

An order holds its customer's row, and so every event that the customer is known by;
most of the time such an event changes nothing of the order.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from asking import land_folder, published
from realtime_feed import feed

from shop import Shop
from snowmelt.synth.realtime import make_realtime
from traces import check_agreement


def test_an_event_is_in_each_order_of_its_customer(
    tmp_path: Path, warm_realtime: Path
) -> None:
    shutil.copytree(warm_realtime, tmp_path / "feed", symlinks=True)
    shop = Shop(tmp_path / "feed")
    make_realtime(tmp_path / "files", feed(9, seed=3, dirty=0.2))
    land_folder(shop, tmp_path / "files")
    with shop.commands() as commands:
        published(commands)
        met = check_agreement(commands._parts)
    assert met["fact_orders"] > 3
    assert met["dim_customer"] > 5
