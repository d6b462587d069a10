"""What tests of the storefront template share: landing folders, comparing figures."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from storefront_oracle import StorefrontFigures

from shop import Shop
from snowmelt.service.commands import OwnCommands

TABLES = 9


def land_folder(shop: Shop, files: Path, pattern: str = "*") -> None:
    """Land the files below a folder under their paths in it, by name."""
    for path in sorted(files.rglob(pattern)):
        if path.is_file():
            shop.land(path, str(path.relative_to(files)))


def ask(commands: OwnCommands, sql: str) -> list[list[Any]]:
    """Return the rows of a query."""
    rows: list[list[Any]] = commands.query(sql, None)["rows"]
    return rows


def published(commands: OwnCommands) -> dict[str, Any]:
    """Load and publish what is pending; return the run."""
    run: dict[str, Any] = commands.run(None)["run"]
    assert run["state"] == "SUCCEEDED", run
    return run


def audited(commands: OwnCommands) -> None:
    """Assert that dbt makes the same from nothing, quarantine and all."""
    audit = commands.audit()["audit"]
    assert audit["state"] == "SUCCEEDED", audit
    assert audit["tables_compared"] == TABLES + 3, audit


def way(commands: OwnCommands) -> str:
    """Return which way the last run took: dbt or replay."""
    sql = "select way from snowmelt.run_history order by started_at desc limit 1"
    return str(ask(commands, sql)[0][0])


def refused(commands: OwnCommands) -> Counter[tuple[str, str]]:
    """Count the rows in quarantine by table and rule."""
    found: Counter[tuple[str, str]] = Counter()
    for table in ("customers", "products", "sales"):
        sql = (
            f"select rule, count(*) from quarantine.silver__{table}_clean group by rule"
        )
        for rule, count in ask(commands, sql):
            found[table, rule] = count
    return found


def quarantined(commands: OwnCommands) -> dict[str, list[str]]:
    """Return every quarantine's rows, as sorted text."""
    return {
        table: sorted(
            json.dumps(row)
            for row in ask(commands, f"select * from quarantine.silver__{table}_clean")
        )
        for table in ("customers", "products", "sales")
    }


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
