"""What tests of the retail template share: comparing a project with the oracle."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Any

from asking import ask, equals_a_rebuild, quarantine_of, refused_in
from retail_oracle import RetailFigures

from snowmelt.service.commands import OwnCommands

TABLES = 8
RELATIONS = TABLES + 2  # two views
SILVER = ("customers", "products", "transactions")

audited = partial(equals_a_rebuild, tables=TABLES + len(SILVER))
refused = partial(refused_in, models=SILVER)
quarantined = partial(quarantine_of, models=SILVER)


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
