"""Rows that row rules refused: where they are kept, listed, counted."""

from __future__ import annotations


def quarantine_table(relation: str) -> str:
    """Return the name of the quarantine of a relation (schema.name)."""
    schema, name = relation.split(".", 1)
    return f'quarantine."{schema}__{name}"'
