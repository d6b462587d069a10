"""What there is to say of credits where nothing takes any."""

from __future__ import annotations

from snowmelt.serve.commands import Document
from snowmelt.service.documents import SCHEMA_VERSION

DAYS = 7
"""How far back is looked, unless it is said."""
NEEDS = (
    "Credits are an account's: files that are loaded on this machine cost none. Name a "
    "target of snowmelt.yml: snowmelt cost --target prod"
)


def no_cost_document(days: int) -> Document:
    """Return what there is to say where nothing costs credits."""
    return {
        "schema_version": SCHEMA_VERSION,
        "target": None,
        "needs": NEEDS,
        "days": days,
        "since": None,
        "credits": {"pipes": 0.0, "warehouse": 0.0, "total": 0.0},
        "pipes": [],
        "warehouses": [],
        "models": [],
        "by_day": [],
        "note": "",
    }
