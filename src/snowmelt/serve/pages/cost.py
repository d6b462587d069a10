"""Cost: what a target took of credits, by day, pipe, warehouse and model."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from snowmelt.serve.pages.site import Site

PERIODS = (1, 7, 30, 90)
_DAYS = 7


async def show_cost(site: Site, request: Request) -> Response:
    """Answer `/cost`; `days` in the address says how far back."""
    days = _days(request.query_params.get("days", ""))
    found = await site.ask("cost", days=days)
    return await site.page(
        request,
        "cost.html",
        heading="Cost",
        section="/cost",
        periods=PERIODS,
        bars=bars(found["by_day"]),
        parts=parts(found),
        found_credits=found["credits"],
        **{key: value for key, value in found.items() if key != "credits"},
    )


def _days(given: str) -> int:
    return int(given) if given.isdigit() and int(given) in PERIODS else _DAYS


def bars(by_day: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return days with the width of each part of their bar, in hundredths."""
    most = max((each["pipes"] + each["warehouse"] for each in by_day), default=0.0)
    return [
        each
        | {
            "total": each["pipes"] + each["warehouse"],
            "warehouse_width": _part(each["warehouse"], most),
            "pipes_width": _part(each["pipes"], most),
        }
        for each in by_day
    ]


def parts(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what the credits went into, each with its share in hundredths."""
    total = found["credits"]["total"]
    named = [("Pipes", found["credits"]["pipes"])]
    for key, name in (("models", "Models"), ("others", "Others"), ("idle", "Idle")):
        credits = sum(each[f"credits_{key}"] for each in found["warehouses"])
        named.append((name, credits))
    return [
        {"name": name, "credits": credits, "share": _part(credits, total)}
        for name, credits in named
    ]


def _part(value: float, whole: float) -> int:
    return round(value / whole * 100) if whole else 0
