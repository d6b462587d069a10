"""What tests of the storefront template share: comparing a project with the oracle."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

from asking import ask, equals_a_rebuild, quarantine_of, refused_in
from storefront_oracle import StorefrontFigures

from snowmelt.service.commands import OwnCommands

TABLES = 9
SILVER = ("customers_clean", "products_clean", "sales_clean")

audited = partial(equals_a_rebuild, tables=TABLES + len(SILVER))
quarantined = partial(quarantine_of, models=SILVER)


def refused(commands: OwnCommands) -> Counter[tuple[str, str]]:
    """Count the rows in quarantine by table and rule."""
    found = refused_in(commands, models=SILVER).items()
    return Counter({(m.removesuffix("_clean"), rule): n for (m, rule), n in found})


def compare(commands: OwnCommands, expected: StorefrontFigures) -> None:
    """Assert that silver and gold say what the oracle says."""
    assert ask(
        commands,
        "select customer_id, name, country, email from silver.customers_clean "
        "order by customer_id",
    ) == [
        [key, row.name, row.country, row.email]
        for key, row in sorted(expected.customers.items())
    ]
    assert ask(
        commands,
        "select product_id, name, category, price from silver.products_clean "
        "order by product_id",
    ) == [
        [key, row.name, row.category, str(row.price)]
        for key, row in sorted(expected.products.items())
    ]
    assert ask(
        commands,
        "select sale_id, customer_id, customer_name, country, product_id, "
        "product_name, category, sale_date, quantity, price, total_amount "
        "from silver.sales_enriched order by sale_id",
    ) == [_enriched(expected, sale_id) for sale_id in sorted(expected.amounts)]
    assert ask(
        commands, "select sale_id, lacks from silver.orphan_sales order by sale_id"
    ) == [list(each) for each in sorted(expected.orphans.items())]
    assert refused(commands) == expected.refused
    assert (
        ask(
            commands,
            "select country, total_sales, number_of_sales, number_of_customers "
            "from gold.sales_by_country order by country",
        )
        == expected.by_country()
    )
    assert (
        ask(
            commands,
            "select sales_rank, product_id, category, rank_in_category, total_sales, "
            "number_of_sales, quantity_sold, number_of_customers "
            "from gold.top_products order by sales_rank, product_id",
        )
        == expected.top_products()
    )
    assert (
        ask(
            commands,
            "select customer_id, number_of_sales, quantity_bought, "
            "number_of_products, total_spent, first_sale_date, last_sale_date "
            "from gold.client_activity order by customer_id",
        )
        == expected.activity()
    )


def _enriched(expected: StorefrontFigures, sale_id: str) -> list[Any]:
    sale = expected.sales[sale_id]
    customer = expected.customers[sale.customer_id]
    product = expected.products[sale.product_id]
    return [
        *(sale_id, sale.customer_id, customer.name, customer.country),
        *(sale.product_id, product.name, product.category),
        *(sale.sale_date.isoformat(), sale.quantity),
        *(str(product.price), str(expected.amounts[sale_id])),
    ]
