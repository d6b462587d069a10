"""Rows in quarantine, on the page of rejects: by model and rule, and rows of one."""

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
    rows: Document | None = None
    if chosen["model"] or chosen["rule"]:
        rows = await site.ask("quarantine", **chosen, limit=ROWS_SHOWN, lines=False)
        rows = {**rows, "columns": _columns(rows["rows"])}
    return {
        "quarantine": [
            {**each, "href": quarantine_href(each["model"], each["rule"])}
            for each in found["groups"]
        ],
        "quarantine_count": found["count"],
        "refused": rows,
        "of_rule": chosen,
    }


def quarantine_href(model: str, rule: str | None = None) -> str:
    """Return where the refused rows of a model are, or of one of its rules."""
    kept = {"model": model} | ({"rule": rule} if rule else {})
    return f"/rejects?{urlencode(kept)}#quarantine"


def _columns(rows: list[Document]) -> list[str]:
    """Return the columns that any of these rows has, in their order."""
    names = dict.fromkeys(name for row in rows for name in row["values"])
    return [name for name in names if not name.startswith("_")]
