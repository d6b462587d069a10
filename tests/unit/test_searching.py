"""What is found first is what people mean."""

from __future__ import annotations

from snowmelt.service.pages.searching import nearest


def tables(asked: str, *keys: str) -> list[str]:
    things = [{"key": key, "layer": key.partition(".")[0]} for key in keys]
    found = nearest(asked, things, lambda e: (e["key"], e["key"].partition(".")[2]))
    return [each["key"] for each in found]


def test_a_table_of_that_name_is_first_and_gold_before_bronze() -> None:
    found = tables(
        "orders",
        *("bronze.orders", "bronze.old_orders_x", "silver.orders", "gold.fct_orders"),
        *("gold.reorders", "gold.customers"),
    )
    assert found == [
        *("silver.orders", "bronze.orders"),
        *("gold.fct_orders", "bronze.old_orders_x", "gold.reorders"),
    ]


def test_columns_of_one_name_stand_together() -> None:
    columns = [
        {"table": "bronze.orders", "layer": "bronze", "column": "order_id"},
        {"table": "gold.months", "layer": "gold", "column": "first_order"},
        {"table": "gold.fct_orders", "layer": "gold", "column": "order_id"},
        {"table": "bronze.orders", "layer": "bronze", "column": "order_day"},
    ]

    def names(each: dict[str, str]) -> tuple[str, str]:
        return each["column"], f"{each['table']}.{each['column']}"

    found = [(e["column"], e["table"]) for e in nearest("order", columns, names)]
    assert found == [
        ("order_day", "bronze.orders"),
        ("order_id", "gold.fct_orders"),
        ("order_id", "bronze.orders"),
        ("first_order", "gold.months"),
    ]
    (one,) = nearest("fct_orders.order_id", columns, names)
    assert (one["table"], one["is_named"]) == ("gold.fct_orders", False)
    (named,) = nearest("gold.fct_orders.order_id", columns, names)
    assert named["is_named"]


def test_nothing_is_asked_nothing_is_found() -> None:
    assert tables("", "gold.orders") == []
    assert tables("zz", "gold.orders") == []
