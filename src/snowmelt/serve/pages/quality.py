"""Quality: what fails since when, the rows themselves, and where every record is."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from snowmelt.errors import UsageError
from snowmelt.serve.commands import Document
from snowmelt.serve.pages.addresses import chosen_of
from snowmelt.serve.pages.drawing import Bar, waterfall_bars, waterfall_height
from snowmelt.serve.pages.quarantine import quarantine_href
from snowmelt.serve.pages.site import Site
from snowmelt.serve.pages.wording import link

TESTS_SHOWN = 100
GOLD_SHOWN = 8
SOURCES_SHOWN = 20
TREND_WIDTH, TREND_HEIGHT = 600, 90
LEVELS = ("fail", "warn", "pass", "unknown")


async def show_quality(site: Site, request: Request) -> Response:
    """Answer `/quality`."""
    chosen = chosen_of(request, "model", "status", "source")
    if chosen["status"] not in (None, *LEVELS):
        raise UsageError("status", f"write one of {', '.join(LEVELS)}")
    document = await site.ask("quality", model=chosen["model"], status=chosen["status"])
    sources = document["sources"]
    source = _source(sources, chosen["source"])
    bars = _bars(source) if source else []
    counts = document["counts"]
    tests, passing = document["tests"], []
    if chosen["status"] is None and chosen["model"] is None:
        passing = [each for each in tests if each["level"] == "pass"]
        tests = [each for each in tests if each["level"] != "pass"]
    return await site.page(
        request,
        "quality.html",
        heading="Quality",
        section="/quality",
        chosen=chosen,
        source=source,
        losses=_losses(sources)[:SOURCES_SHOWN],
        bars=bars,
        bars_height=waterfall_height(bars),
        columns=_trend(document["trend"]),
        tests=tests[:TESTS_SHOWN],
        passing=passing[:TESTS_SHOWN],
        passing_count=len(passing),
        left_out=max(0, len(tests) - TESTS_SHOWN, len(passing) - TESTS_SHOWN),
        checks=sum(counts.values()),
        **{
            name: document[name]
            for name in (
                "shell",
                "counts",
                "audits",
                "sources",
                "models",
                "quarantined",
            )
        },
    )


def _source(sources: list[Document], name: str | None) -> Document | None:
    """Return the source that is looked at: the one named, or where rows are missing."""
    named = [each for each in sources if each["pipe_name"] == name]
    lossy = [
        each
        for each in sources
        if each["rejected_records"] - each["replayed_rows"] > 0
        or any(account["quarantined_rows"] for account in each["accounts"])
    ]
    found = named or lossy or sources
    return found[0] if found else None


def _losses(sources: list[Document]) -> list[Document]:
    """Return of each pipe what did not reach silver, most first."""
    found = []
    for each in sources:
        models = [account["model"] for account in each["accounts"]]
        waiting = sum(account["quarantined_open"] for account in each["accounts"])
        href = quarantine_href(models[0]) if len(models) == 1 else "/rejects#quarantine"
        found.append(
            {
                "pipe_name": each["pipe_name"],
                "records": each["parsed_records"],
                "refused": each["rejected_records"] - each["replayed_rows"],
                "quarantined": waiting,
                "quarantine_href": href,
            }
        )
    found.sort(key=lambda each: -each["refused"] - each["quarantined"])
    return found


def _bars(source: Document) -> list[Bar]:
    """Return the waterfall of one source, down to the tables of gold."""
    accounts = source["accounts"]
    summed = {
        name: sum(each[name] for each in accounts)
        for name in (
            *("bronze_rows", "superseded_rows", "quarantined_rows"),
            *("dropped_rows", "deduplicated_rows", "silver_rows"),
        )
    }
    pipe = source["pipe_name"]
    files = "/files?" + urlencode({"pipe": pipe})
    models = [link("catalog", each["model"]) for each in accounts]
    silver = models[0] if models else link("catalog", source["table"])
    hrefs = {
        "file": files,
        "bad": "/rejects?" + urlencode({"pipe": pipe}),
        "bronze": link("catalog", source["table"]),
        "warn": quarantine_href(accounts[0]["model"]) if accounts else "",
        "silver": silver,
        "out": silver,
    }
    gold = [
        (each["key"].partition(".")[2], each["rows"], link("catalog", each["key"]))
        for each in source["gold"][:GOLD_SHOWN]
        if each["rows"] is not None
    ]
    found = {**source, **summed, "models": len(accounts)}
    return waterfall_bars(found, hrefs, gold, rest="not published yet")


def _trend(runs: list[Document]) -> list[Document]:
    """Return for each run where its column stands, and its parts."""
    most = max([1, *(r["passed"] + r["warned"] + r["failed"] for r in runs)])
    step = TREND_WIDTH / max(len(runs), 20)
    columns = []
    for place, run in enumerate(runs):
        parts, y = [], float(TREND_HEIGHT)
        for name, kind in (("passed", "good"), ("warned", "warn"), ("failed", "bad")):
            height = TREND_HEIGHT * run[name] / most
            height = max(height, 3.0) if run[name] else 0.0
            y -= height
            parts.append({"kind": kind, "y": round(y, 1), "height": round(height, 1)})
        columns.append(
            {
                "run": run,
                "x": round(place * step, 1),
                "width": round(step - 2, 1),
                "parts": parts,
            }
        )
    return columns


async def show_test(site: Site, request: Request) -> Response:
    """Answer `/quality/tests/NAME`: the failing rows, whole."""
    document = await site.ask("quality_test", test=request.path_params["test"])
    rows: list[Any] = document.pop("rows")
    columns = list(dict.fromkeys(name for row in rows for name in _as_row(row)))
    return await site.page(
        request,
        "quality_test.html",
        heading=document["test"]["test"],
        section="/quality",
        columns=columns,
        rows=[[_as_row(row).get(name) for name in columns] for row in rows],
        **document,
    )


def _as_row(row: Any) -> Document:
    return row if isinstance(row, dict) else {"value": row}
