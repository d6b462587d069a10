"""Quarantined rows on the page of rejects: by model and rule, and rows of one."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from snowmelt.serve.commands import Document
from snowmelt.serve.pages.addresses import chosen_of
from snowmelt.serve.pages.site import Site

ROWS_SHOWN = 50


async def quarantine_part(
    site: Site, request: Request, shell: Document
) -> dict[str, Any]:
    """Return what the page shows of quarantine; rows only of a rule that is chosen.

    The quarantine of a target is in its account: there is none here.
    """
    chosen = chosen_of(request, "model", "rule")
    if shell["target"]:
        nothing = {"quarantine": [], "quarantine_count": 0, "refused": None}
        return {**nothing, "of_rule": chosen}
    found = await site.ask("quarantine_groups", model=None, rule=None)
    groups = [
        {
            **each,
            "href": "/rejects?"
            + urlencode({"model": each["model"], "rule": each["rule"]})
            + "#quarantine",
        }
        for each in found["groups"]
    ]
    rows: Document | None = None
    if chosen["model"] or chosen["rule"]:
        rows = await site.ask("quarantine_samples", **chosen, limit=ROWS_SHOWN)
        rows = {**rows, "columns": _columns(rows["rows"])}
    return {
        "quarantine": groups,
        "quarantine_count": found["count"],
        "refused": rows,
        "of_rule": chosen,
    }


def _columns(rows: list[Document]) -> list[str]:
    """Return the columns that any of these rows has, in their order."""
    return list(dict.fromkeys(name for row in rows for name in row["values"]))
