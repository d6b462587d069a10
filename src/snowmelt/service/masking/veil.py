"""What viewers' copies for the SQL page have in place of what is about persons."""

from __future__ import annotations

from collections.abc import Sequence

from snowmelt.serve.cells import MASK
from snowmelt.service.masking.personal import personal_of
from snowmelt.service.parts import Parts
from snowmelt.warehouse.sql import identifier, literal


class PersonalVeil:
    """Masks the columns of tables that are about persons; see `asking.veil.Veil`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def select(self, schema: str, table: str, columns: Sequence[str]) -> list[str]:
        """Return an SQL expression for each column: a mask for what is masked."""
        with self._parts.warehouse.snapshot() as session:
            personal = personal_of(self._parts, session)
        relation = f"{schema}.{table}"
        return [
            _masked(column)
            if personal.is_masked(relation, column)
            else identifier(column)
            for column in columns
        ]


def _masked(column: str) -> str:
    name = identifier(column)
    return f"case when {name} is not null then {literal(MASK)} end as {name}"
