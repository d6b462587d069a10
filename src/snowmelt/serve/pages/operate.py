"""Health, files, rejects, runs, pipes: how the pipeline is."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from snowmelt.serve.cells import MASK
from snowmelt.serve.commands import Document
from snowmelt.serve.pages.addresses import chosen_of, whole
from snowmelt.serve.pages.drawing import (
    draw_times,
    waterfall_bars,
    waterfall_height,
)
from snowmelt.serve.pages.lineage_drawing import around, draw_needed
from snowmelt.serve.pages.quarantine import quarantine_part
from snowmelt.serve.pages.site import Site
from snowmelt.serve.pages.wording import link

FILES_SHOWN = 50
RUNS_SHOWN = 50
SAMPLES_SHOWN = 50


async def show_health(site: Site, request: Request) -> Response:
    """Answer `/`."""
    document = await site.ask("health")
    for each in document["attention"]:
        each["href"] = _attention_href(each)
    drawing = draw_needed(document["lineage"])
    for box in drawing.boxes:
        box.node["href"] = around(box.node)
    bars = waterfall_bars(document["waterfall"])
    return await site.page(
        request,
        "health.html",
        heading="Health",
        section="/",
        drawing=drawing,
        bars=bars,
        bars_height=waterfall_height(bars),
        **document,
    )


def _attention_href(each: Document) -> str:
    name = each["name"]
    pages = {
        "run": link("runs", name),
        "check": link("quality", "tests", name),
        "file": link("files", name),
        "files": "/files?" + urlencode({"status": "Load failed"}),
        "pipe": "/pipes",
        "held": "/drift" if " drift " in each["command"] else "/files#waiting",
        "unmatched": "/files#waiting",
        "rejects": "/rejects",
        "quarantine": "/rejects#quarantine",
        "task": link("tasks", name) if name else "/tasks",
        "alert": link("alerts", name),
        "config": "/pipes#changed",
    }
    return pages.get(each["kind"], "/pipes")


async def show_files(site: Site, request: Request) -> Response:
    """Answer `/files`: a page of load history, and what waits."""
    chosen: dict[str, Any] = chosen_of(request, "pipe", "status", "name", "before")
    before = whole("before", chosen["before"])
    document = await site.ask(
        "files",
        pipe=chosen["pipe"],
        status=chosen["status"],
        name=chosen["name"],
        before=before,
        limit=FILES_SHOWN,
    )
    filters = {name: chosen[name] for name in ("pipe", "status", "name")}
    kept = {name: value for name, value in filters.items() if value}
    return await site.page(
        request,
        "files.html",
        heading="Files",
        section="/files",
        chosen=chosen,
        next_href="/files?" + urlencode(kept | {"before": document["next"] or 0}),
        first_href="/files?" + urlencode(kept),
        same_as=_history_command(filters),
        **document,
    )


def _history_command(filters: dict[str, str | None]) -> str:
    words = ["snowmelt history"]
    if filters["pipe"]:
        words.append(f"--pipe {filters['pipe']}")
    if filters["status"]:
        words.append(f"--status '{filters['status']}'")
    return " ".join(words)


async def show_file(site: Site, request: Request) -> Response:
    """Answer `/files/NUMBER`: everything about one load."""
    document = await site.ask("file", load=request.path_params["load"])
    heading = document["load"]["file_name"]
    return await site.page(
        request, "file.html", heading=heading, section="/files", **document
    )


async def show_rejects(site: Site, request: Request) -> Response:
    """Answer `/rejects`: what was refused, by reason, or records of one reason."""
    names = ("pipe", "category", "column", "reason")
    chosen: dict[str, Any] = chosen_of(request, *names)
    samples: Document
    if chosen["reason"] or chosen["category"]:
        samples = await site.ask("reject_samples", **chosen, limit=SAMPLES_SHOWN)
        grouped: Document = {"groups": [], "count": samples["count"]}
    else:
        grouped = await site.ask("reject_groups", pipe=chosen["pipe"], file=None)
        samples = {"rejects": [], "count": 0, "shell": await site.ask("shell")}
    for each in grouped["groups"]:
        kept = {
            "pipe": each["pipe_name"],
            "category": each["category"],
            "column": each["column_name"],
            "reason": each["reason"],
        }
        known = {n: value for n, value in kept.items() if value and MASK not in value}
        each["href"] = "/rejects?" + urlencode(known)
    return await site.page(
        request,
        "rejects.html",
        heading="Rejects",
        section="/rejects",
        shell=samples["shell"],
        chosen=chosen,
        count=grouped["count"],
        groups=grouped["groups"],
        samples=samples["rejects"],
        sample_count=samples["count"],
        **await quarantine_part(site, request, samples["shell"]),
    )


async def show_runs(site: Site, request: Request) -> Response:
    """Answer `/runs`."""
    before = chosen_of(request, "before")["before"]
    document = await site.ask("runs", before=before, limit=RUNS_SHOWN)
    return await site.page(
        request, "runs.html", heading="Runs", section="/runs", before=before, **document
    )


async def show_run(site: Site, request: Request) -> Response:
    """Answer `/runs/ID`."""
    document = await site.ask("run_detail", run=request.path_params["run"])
    stretches = {
        document["nodes"].index(each.node): each
        for each in draw_times(document["run"], document["nodes"])
    }
    return await site.page(
        request,
        "run.html",
        heading=f"Run {document['run']['run_id'][-8:]}",
        section="/runs",
        stretches=stretches,
        **document,
    )


async def show_pipes(site: Site, request: Request) -> Response:
    """Answer `/pipes`."""
    document = await site.ask("pipes")
    return await site.page(
        request, "pipes.html", heading="Pipes", section="/pipes", **document
    )


async def show_counts(site: Site, request: Request) -> Response:
    """Answer `/counts`: what pages of which nothing else is live ask for again."""
    section = request.query_params.get("section", "")
    shell = await site.ask("shell")
    return await site.page(
        request, "counts.html", heading="Counts", section=section, shell=shell
    )
