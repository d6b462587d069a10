"""What breaks a contract in JSON records that could be read."""

from __future__ import annotations

from snowmelt.bronze.json_statement import JsonStatement
from snowmelt.bronze.rules import Rule, invalid_value, nul_byte, required_value


def broken_rules(statement: JsonStatement) -> list[Rule]:
    """Return the rules for the rows of one statement."""
    rules = [invalid_value(column.name, column.type) for column in statement.checked]
    for column in statement.contract.columns:
        if not column.nullable:
            rules.append(required_value(column.name))
        if column.type == "varchar":
            rules.append(nul_byte(column.name))
    return rules
