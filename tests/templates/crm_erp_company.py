"""What tests of the crm-erp template share: comparing a project with the oracle."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

from asking import ask, equals_a_rebuild, quarantine_of, refused_in
from crm_erp_oracle import CrmErpFigures

from snowmelt.service.commands import OwnCommands

TABLES = 16
KEYS = {
    "crm_customers": ("customer_id",),
    "crm_products": ("product_id",),
    "crm_sales": ("order_number", "product_number"),
    "erp_customers": ("customer_number",),
    "erp_locations": ("customer_number",),
    "erp_categories": ("category_id",),
}

audited = partial(equals_a_rebuild, tables=TABLES + len(KEYS))
refused = partial(refused_in, models=KEYS)
quarantined = partial(quarantine_of, models=KEYS)


def compare(commands: OwnCommands, expected: CrmErpFigures) -> None:
    """Assert that silver, gold and quarantine say what the oracle says."""
    assert refused(commands) == expected.refused
    for table, keys in KEYS.items():
        rows = expected.silver[table]
        columns = [name for name in next(iter(rows.values()), {}) if name != "odd"]
        found = {
            tuple(row[: len(keys)]): row[len(keys) :]
            for row in ask(
                commands,
                f"select {', '.join([*keys, *columns])} from silver.{table}",
            )
        }
        assert found == {
            (key if isinstance(key, tuple) else (key,)): [
                _plain(name, row[name]) for name in columns
            ]
            for key, row in rows.items()
        }, table
    for table, expected_rows in expected.gold.items():
        found_rows = sorted(ask(commands, f"select * from gold.{table}"), key=str)
        assert found_rows == expected_rows, table


def _plain(name: str, value: Any) -> Any:
    if name == "quantity":
        return f"{value}.000000"
    if isinstance(value, Decimal):
        return str(value)
    return value.isoformat() if isinstance(value, date) else value
