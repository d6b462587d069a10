"""What tests of the retail template share: comparing a project with the oracle."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from typing import Any

from retail_oracle import RetailFigures
from storefront_shop import ask

from snowmelt.service.commands import OwnCommands

TABLES = 8
RELATIONS = TABLES + 2  # two views
SILVER = ("customers", "products", "transactions")


def audited(commands: OwnCommands) -> None:
    """Assert that dbt makes the same from nothing, quarantine and all."""
    audit = commands.audit()["audit"]
    assert audit["state"] == "SUCCEEDED", audit
    assert audit["tables_compared"] == TABLES + len(SILVER), audit


def refused(commands: OwnCommands) -> Counter[tuple[str, str]]:
    """Count the rows in quarantine by table and rule."""
    found: Counter[tuple[str, str]] = Counter()
    for table in SILVER:
        sql = f"select rule, count(*) from quarantine.silver__{table} group by rule"
        for rule, count in ask(commands, sql):
            found[table, rule] = count
    return found


def quarantined(commands: OwnCommands) -> dict[str, list[str]]:
    """Return every quarantine's rows, as sorted text."""
    return {
        table: sorted(
            json.dumps(row)
            for row in ask(commands, f"select * from quarantine.silver__{table}")
        )
        for table in SILVER
    }


def deduplicated(commands: OwnCommands) -> dict[str, int]:
    """Count the rows that lost against another version, by table, of the last run."""
    rows = ask(
        commands,
        "select model, deduplicated_rows from snowmelt.reconciliation "
        "qualify row_number() over (partition by model order by run_id desc) = 1",
    )
    return {model.removeprefix("silver."): count for model, count in rows}


def compare(commands: OwnCommands, expected: RetailFigures) -> None:
    """Assert that silver and gold say what the oracle says."""
    assert refused(commands) == expected.refused
    _compare_silver(commands, expected)
    for table, key in (("customers", "customer_id"), ("products", "product_id")):
        known: dict[str, Any] = getattr(expected, table)
        assert ask(
            commands, f"select {key}, is_known from gold.dim_{table} order by {key}"
        ) == sorted(
            [[each, True] for each in known]
            + [[each, False] for each in expected.not_known(table)]
        )
    analysis = (
        "select sale_date, product_id, customer_id, product_name, category, "
        "customer_name, customer_type, quantity, sales, transactions, "
        "average_price_per_unit, average_transaction_value "
        "from gold.daily_sales_analysis order by 1, 2, 3"
    )
    assert ask(commands, analysis) == expected.analysis()
    by_day = (
        "select sale_date, store_type, quantity, sales, transactions, customers, "
        "average_transaction_value from gold.sales_by_day order by 1, 2"
    )
    assert ask(commands, by_day) == expected.by_day()


def _compare_silver(commands: OwnCommands, expected: RetailFigures) -> None:
    for table, key in zip(
        SILVER, ("customer_id", "product_id", "transaction_id"), strict=True
    ):
        rows: dict[str, Any] = getattr(expected, table)
        names = [key, *next(iter(rows.values())).__dataclass_fields__]
        found = ask(
            commands, f"select {', '.join(names)} from silver.{table} order by {key}"
        )
        assert [
            [_plain(name, value) for name, value in zip(names, row, strict=True)]
            for row in found
        ] == [
            [each, *(_plain(name, getattr(row, name)) for name in names[1:])]
            for each, row in sorted(rows.items())
        ]


def _plain(name: str, value: Any) -> Any:
    """Return a value as both sides can say it."""
    if value is None:
        return None
    if name in ("price", "rating", "total_amount", "total_purchases"):
        return Decimal(str(value)).normalize()
    if name.endswith(("_at", "_date")):
        return str(value).replace("T", " ")
    return value
