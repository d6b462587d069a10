"""What breaks a contract in records that the engine could parse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from snowmelt.bronze.csv_statement import BAD, CsvStatement
from snowmelt.bronze.raw import VALUE_SHOWN_MAX, RejectError
from snowmelt.warehouse.sql import identifier


@dataclass(frozen=True)
class Rule:
    """A condition that finds broken rows, and what is wrong with them.

    `found` is not NULL for such rows: it is what `error` is made from.
    """

    condition: str
    found: str
    error: Callable[[str], RejectError]


def broken_rules(statement: CsvStatement, *, nul_bytes: bool) -> list[Rule]:
    """Return the rules for the rows of one statement."""
    rules = []
    for column in statement.converted:
        if column.type != "varchar":
            rules.append(invalid_value(column.name, column.type))
    for column in statement.contract.columns:
        name = column.name
        if not column.nullable:
            rules.append(required_value(name))
        if (
            nul_bytes
            and column.type in ("varchar", "json")
            and name in statement.layout.present
        ):
            rules.append(nul_byte(name))
    return rules


def invalid_value(name: str, type_name: str) -> Rule:
    """Refuse a text that is no value of its column's type."""
    bad = identifier(BAD + name)

    def error(value: str) -> RejectError:
        shown = value
        if len(shown) > VALUE_SHOWN_MAX:
            shown = shown[:VALUE_SHOWN_MAX] + "…"
        return RejectError(name, "CAST", f"'{shown}' is not a valid {type_name}")

    return Rule(f"{bad} is not null", bad, error)


def required_value(name: str) -> Rule:
    """Refuse a record that leaves a required column empty."""
    return _fixed(
        f"{identifier(name)} is null",
        RejectError(name, "NULL VALUE", f"required column '{name}' is empty"),
    )


def nul_byte(name: str) -> Rule:
    """Refuse a text with a NUL byte, which no text has."""
    return _fixed(
        f"contains({identifier(name)}, chr(0))",
        RejectError(name, "NUL BYTE", f"'{name}' holds a NUL byte"),
    )


def _fixed(condition: str, error: RejectError) -> Rule:
    return Rule(condition, f"case when {condition} then '' end", lambda _: error)
