"""Gold's figures against plain Python over the same files, to the cent."""

from __future__ import annotations

import os
from dataclasses import astuple
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from asking import ask, land_folder
from board_figures import compare_boards
from olist_oracle import (
    CustomerFigures,
    OlistFigures,
    SellerFigures,
    ZipFigures,
    figures,
)

from shop import make_shop, require_dashboards
from snowmelt.service.commands import OwnCommands
from snowmelt.synth.olist import make_olist

REPOSITORY = Path(__file__).resolve().parents[2]
PUBLISHED = Path(
    os.environ.get("SNOWMELT_OLIST", REPOSITORY.parent / "shared" / "data" / "olist")
)


def test_made_files_give_the_oracles_figures(tmp_path: Path) -> None:
    make_olist(tmp_path / "files", orders=1500, seed=11)
    shop = make_shop(tmp_path / "shop")
    land_folder(shop, tmp_path / "files", "*.csv")
    with shop.commands() as commands:
        document = commands.run(None)
        assert document["run"]["state"] == "SUCCEEDED", document["run"]
        compare(commands, figures(tmp_path / "files"))
        compare_boards(commands, "olist")
        require_dashboards(commands, shop.root)


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published files are not here")
def test_published_files_give_the_oracles_figures(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop")
    land_folder(shop, PUBLISHED, "*.csv")
    with shop.commands() as commands:
        document = commands.run(None)
        assert document["run"]["state"] == "SUCCEEDED", document["run"]
        for one in document["loads"]:
            assert one["row_parsed"] == one["row_count"] + one["error_count"]
            assert one["status"] == "Loaded", one
        assert len(document["loads"]) == len(list(PUBLISHED.glob("*.csv")))
        compare(commands, figures(PUBLISHED))


def compare(commands: OwnCommands, expected: OlistFigures) -> None:
    """Assert that every figure the oracle knows is what gold says."""
    (totals,) = ask(
        commands,
        """
        select count(*), sum(item_count)::int, sum(price_value), sum(freight_value),
               sum(order_value), sum(payment_value),
               count(*) filter (delivered_at is not null), count(*) filter (is_late),
               count(review_score), sum(review_score)::int
        from gold.fct_orders
        """,
    )
    assert totals == [
        expected.orders,
        expected.order_items,
        str(expected.price_value),
        str(expected.freight_value),
        str(expected.order_value),
        str(expected.payment_value),
        expected.delivered,
        expected.late,
        expected.reviewed,
        expected.review_score_sum,
    ]
    assert ask(
        commands,
        """
        select month, orders, order_value, payment_value, average_order_value,
               active_customers, new_customers
        from gold.monthly_metrics order by month
        """,
    ) == [
        [
            month.isoformat(),
            found.orders,
            str(found.order_value),
            str(found.payment_value),
            str(found.average_order_value),
            found.active_customers,
            found.new_customers,
        ]
        for month, found in sorted(expected.months.items())
    ]
    assert ask(
        commands,
        "select category, item_count, orders, price_value "
        "from gold.category_sales order by category collate C",
    ) == [
        [name, found.item_count, found.orders, str(found.price_value)]
        for name, found in sorted(expected.categories.items())
    ]
    assert ask(
        commands,
        "select month, customer_state, orders, order_value "
        "from gold.orders_by_state order by month, customer_state",
    ) == [
        [month.isoformat(), state, found.orders, str(found.order_value)]
        for (month, state), found in sorted(expected.states.items())
    ]
    assert ask(
        commands,
        "select customer_unique_id, orders, order_value, first_order_at, "
        "last_order_at, days_between from gold.customer_activity order by 1",
    ) == [[who, *told(row)] for who, row in sorted(expected.activity.items())]
    compare_more(commands, expected)
    assert expected.order_value == sum(
        (
            Decimal(row[0])
            for row in ask(commands, "select order_value from gold.fct_orders")
        ),
        Decimal(0),
    )


def compare_more(commands: OwnCommands, expected: OlistFigures) -> None:
    """Assert what gold says of sellers, deliveries, customers and places."""
    assert ask(
        commands,
        "select seller_id, orders, item_count, price_value, freight_value, "
        "delivered_orders, late_orders, reviewed_orders, average_review_score "
        "from gold.seller_performance order by 1",
    ) == [[who, *told(row)] for who, row in sorted(expected.sellers.items())]
    assert ask(
        commands, "select order_id, days_late from gold.late_deliveries order by 1"
    ) == [list(each) for each in sorted(expected.days_late.items())]
    assert len(expected.days_late) == expected.late > 0
    assert ask(
        commands,
        "select customer_unique_id, orders, order_value, first_order_at, "
        "last_order_at, days_between from gold.repeat_customers order by 1",
    ) == [[who, *told(row)] for who, row in sorted(expected.repeat_customers.items())]
    assert ask(
        commands,
        "select customer_unique_id, recency_days, "
        "[recency_score, frequency_score, monetary_score], segment "
        "from gold.rfm_segments order by 1",
    ) == [
        [who, row.recency_days, list(row.scores), row.segment]
        for who, row in sorted(expected.rfm.items())
    ]
    assert len({row.segment for row in expected.rfm.values()}) >= 6
    assert ask(
        commands,
        "select zip_prefix, city, state, latitude, longitude, point_count, state_count "
        "from gold.dim_zip_prefixes order by 1",
    ) == [
        [prefix, row.city, row.state, *degrees(row), row.point_count, row.state_count]
        for prefix, row in sorted(expected.zip_prefixes.items())
    ]


def told(row: CustomerFigures | SellerFigures) -> list[Any]:
    """Return a row's values as a query's answer has them."""
    return [
        str(value)
        if isinstance(value, Decimal)
        else value.isoformat()
        if isinstance(value, datetime)
        else value
        for value in astuple(row)
    ]


def degrees(row: ZipFigures) -> tuple[str, str]:
    return f"{row.latitude:.7f}", f"{row.longitude:.7f}"
