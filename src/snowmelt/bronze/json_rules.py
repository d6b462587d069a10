"""What breaks a contract in JSON records that could be read."""

from __future__ import annotations

from dataclasses import replace

from snowmelt.bronze.json_statement import BAD, JsonStatement
from snowmelt.bronze.rules import Rule, invalid_value, nul_byte, required_value
from snowmelt.pipe.contract import Column
from snowmelt.warehouse.sql import literal


def broken_rules(statement: JsonStatement) -> list[Rule]:
    """Return the rules for the rows of one statement."""
    rules = [_invalid_value(column) for column in statement.checked]
    for column in statement.contract.columns:
        if not column.nullable:
            rules.append(required_value(column.name))
        if column.type == "varchar":
            rules.append(nul_byte(column.name))
    return rules


def _invalid_value(column: Column) -> Rule:
    """Refuse a text that is no value of its column's type."""
    bad = f"json_extract_string({BAD}, {literal('$.' + column.name)})"
    rule = invalid_value(column.name, column.type)
    return replace(rule, condition=f"{BAD} is not null", found=bad)
