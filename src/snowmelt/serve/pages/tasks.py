"""Streams and tasks: the graph, its runs, one run, one task."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from snowmelt.serve.commands import Document
from snowmelt.serve.pages.addresses import chosen_of
from snowmelt.serve.pages.site import Site
from snowmelt.serve.pages.task_drawing import BOX_HEIGHT, BOX_WIDTH, Picture, draw_tasks
from snowmelt.serve.pages.task_wording import (
    CHOICES,
    ORIGINS,
    STATES,
    counted,
    in_words,
    of_task,
    schedule_words,
    waiting_names,
    with_standing,
)
from snowmelt.serve.pages.wording import link

RUNS_SHOWN = 25
DRAWN_MAX = 120
MARKS_MAX = 12
STREAMS_TOGETHER = 8
_OF_THE_LOOP = {"load": "/files", "silver": "/runs", "gold": "/runs"}
_BROKEN = ("FAILED", "FAILED_AND_AUTO_SUSPENDED", "CANCELLED")


async def show_tasks(site: Site, request: Request) -> Response:
    """Answer `/tasks`: the graph, streams, and runs of the graph."""
    chosen = chosen_of(request, "task", "state", "before")
    board = await site.ask("task_board", **chosen, limit=RUNS_SHOWN)
    runs = [_shown_run(each) for each in board["graph_runs"]]
    waiting = waiting_names(board) if not any(chosen.values()) else set()
    tasks = [
        {
            **each,
            **of_task(each, each["name"] in waiting),
            "href": _task_href(board, each["name"]),
        }
        for each in board["tasks"]
    ]
    drawn = _chosen(tasks)
    edges = _edges(drawn)
    picture = draw_tasks(
        [each["name"] for each in drawn], [(start, end) for start, end, _ in edges]
    )
    kept = {name: chosen[name] for name in ("task", "state") if chosen[name]}
    return await site.page(
        request,
        "tasks.html",
        heading="Streams and tasks",
        section="/tasks",
        chosen=chosen,
        states=_choices(),
        drawing=_drawing(picture, drawn, edges),
        left_out=len(tasks) - len(drawn),
        **_streams(board["streams"]),
        unwell=[each for each in tasks if each["level"] in ("bad", "warn", "busy")],
        when=schedule_words(board["schedule"]),
        root_task=next(each for each in tasks if each["name"] == board["root"]),
        last=next((each for each in runs if not any(chosen.values())), None),
        broken=_BROKEN,
        marks_max=MARKS_MAX,
        next_href="/tasks?" + urlencode(kept | {"before": board["next"] or ""}),
        first_href="/tasks?" + urlencode(kept),
        same_as=_history_command(kept),
        **{**board, "graph_runs": runs, "tasks": tasks},
    )


def _streams(streams: list[Document]) -> Document:
    """Return those with rows that wait first; of many, those without apart."""
    ordered = sorted(
        streams, key=lambda each: (not each["stale"], not each["has_data"])
    )
    if len(ordered) <= STREAMS_TOGETHER:
        return {"first_streams": ordered, "more_streams": []}
    waiting = [each for each in ordered if each["has_data"]]
    return {
        "first_streams": waiting,
        "more_streams": [each for each in ordered if not each["has_data"]],
    }


def _choices() -> list[tuple[str, str]]:
    return [(state, STATES[state][0]) for state in CHOICES]


def _history_command(kept: dict[str, Any]) -> str:
    words = [f"--{name} {value}" for name, value in kept.items()]
    return " ".join(["snowmelt tasks history", *words])


def _task_href(board: Document, name: str) -> str:
    if board["is_default"]:
        return _OF_THE_LOOP.get(name, "/runs")
    return link("tasks", name)


def _shown_run(run: Document) -> Document:
    tasks = [with_standing(each) for each in run["tasks"]]
    return {
        **with_standing(run),
        "tasks": tasks,
        "in_words": in_words(tasks),
        "counted": counted(tasks),
        "origin": ORIGINS.get(run["scheduled_from"], run["scheduled_from"].lower()),
        "href": link("tasks", "runs", run["graph_run_group_id"]),
    }


def _chosen(tasks: list[Document]) -> list[Document]:
    """Return what is drawn: of a large graph what is not well, and its neighbours."""
    if len(tasks) <= DRAWN_MAX:
        return tasks
    wanted = {
        each["name"] for each in tasks if each["level"] in ("bad", "warn", "busy")
    }
    near = {
        name
        for each in tasks
        for name in (each["name"], *each["after"])
        if each["name"] in wanted or wanted.intersection(each["after"])
    }
    return [each for each in tasks if each["name"] in near][:DRAWN_MAX]


def _edges(tasks: list[Document]) -> list[tuple[str, str, str]]:
    """Return lines between tasks that are drawn; to a finalizer from each end."""
    names = {each["name"] for each in tasks}
    edges = [
        (parent, each["name"], "")
        for each in tasks
        for parent in dict.fromkeys(each["after"])
        if parent in names
    ]
    followed = {start for start, _, _ in edges}
    ends = [
        each["name"]
        for each in tasks
        if each["name"] not in followed and not each["finalize"]
    ]
    return edges + [
        (end, each["name"], "last")
        for each in tasks
        if each["finalize"]
        for end in ends
    ]


def _drawing(
    picture: Picture, tasks: list[Document], edges: list[tuple[str, str, str]]
) -> Document:
    kinds = {(start, end): kind for start, end, kind in edges}
    return {
        "width": picture.width,
        "height": picture.height,
        "box_width": BOX_WIDTH,
        "box_height": BOX_HEIGHT,
        "lines": [
            {"path": path, "kind": kinds[start, end]}
            for start, end, path in picture.lines
        ],
        "boxes": [
            {
                "task": each,
                "x": picture.boxes[each["name"]][0],
                "y": picture.boxes[each["name"]][1],
            }
            for each in tasks
        ],
    }


async def show_task(site: Site, request: Request) -> Response:
    """Answer `/tasks/NAME`: its definition, how it stands, its runs."""
    chosen = chosen_of(request, "state", "before")
    name = request.path_params["task"]
    found = await site.ask("task_detail", task=name, **chosen, limit=RUNS_SHOWN)
    task = {**found["task"], **of_task(found["task"], False)}
    runs = [
        {
            **with_standing(each),
            "origin": ORIGINS.get(
                each["scheduled_from"], each["scheduled_from"].lower()
            ),
        }
        for each in found["task_runs"]
    ]
    kept = {"state": chosen["state"]} if chosen["state"] else {}
    here = link("tasks", name)
    return await site.page(
        request,
        "task.html",
        heading=f"Task {name}",
        section="/tasks",
        chosen=chosen,
        states=_choices(),
        next_href=f"{here}?" + urlencode(kept | {"before": found["next"] or ""}),
        first_href=f"{here}?" + urlencode(kept) if kept else here,
        here=here,
        when=schedule_words(found["schedule"]),
        **{**found, "task": task, "task_runs": runs},
    )


async def show_graph_run(site: Site, request: Request) -> Response:
    """Answer `/tasks/runs/ID`: its attempts, and what each task came to."""
    found = await site.ask("graph_run", group=request.path_params["group"])
    attempts = []
    for attempt in found["attempts"]:
        number = attempt["attempt_number"]
        runs = [
            with_standing(each)
            for each in found["task_runs"]
            if each["attempt_number"] == number
        ]
        attempts.append(
            {
                **with_standing(attempt),
                "origin": ORIGINS.get(
                    attempt["scheduled_from"], attempt["scheduled_from"].lower()
                ),
                "runs": _stretched(attempt, runs),
            }
        )
    run = with_standing(found["graph_run"])
    return await site.page(
        request,
        "graph_run.html",
        heading=f"Run of {run['root_task_name']}",
        section="/tasks",
        run=run,
        attempts=attempts[::-1],
        can_retry=run["state"] in _BROKEN,
        shell=found["shell"],
    )


def _stretched(attempt: Document, runs: list[Document]) -> list[Document]:
    """Return runs with when in the attempt they were at work, in thousandths."""
    first = datetime.fromisoformat(attempt["started_at"])

    def after(instant: str | None) -> float | None:
        if instant is None:
            return None
        return (datetime.fromisoformat(instant) - first).total_seconds()

    spans = [
        (after(each["query_start_time"]), after(each["completed_time"]))
        for each in runs
    ]
    whole = max([1e-6, *(at for span in spans for at in span if at is not None)])
    for each, (begin, end) in zip(runs, spans, strict=True):
        each["stretch"] = None
        if begin is not None:
            x = 1000 * max(begin, 0.0) / whole
            until = whole if end is None else max(end, begin)
            each["stretch"] = {
                "x": round(min(x, 997), 1),
                "width": round(max(1000 * until / whole - x, 3), 1),
            }
    return runs
