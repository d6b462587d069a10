"""How a task, and a run of the graph, stands: a word, a colour and a shape."""

from __future__ import annotations

import re
from typing import Any

from snowmelt.serve.pages.wording import between, seconds

Document = dict[str, Any]
NEVER = "never run"
STATES: dict[str | None, tuple[str, str]] = {
    None: (NEVER, ""),
    "SCHEDULED": ("scheduled", ""),
    "EXECUTING": ("running", "busy"),
    "SUCCEEDED": ("succeeded", "good"),
    "FAILED": ("failed", "bad"),
    "FAILED_AND_AUTO_SUSPENDED": ("failed, suspended", "bad"),
    "CANCELLED": ("cancelled", "warn"),
    "SKIPPED": ("skipped", ""),
    "WAITING": ("waits", ""),
    "SUSPENDED": ("suspended", "warn"),
}
"""State → its word, and its level."""
SHAPES = {"good": "tick", "bad": "cross", "warn": "dash", "busy": "ring", "": "hollow"}
CHOICES = ("SUCCEEDED", "FAILED", "CANCELLED", "SKIPPED", "EXECUTING")
ORIGINS = {
    "SCHEDULE": "timetable",
    "TRIGGER": "new data",
    "EXECUTE_TASK": "a person",
    "MANUAL RETRY": "a person, retry",
    "AUTOMATIC RETRY": "itself, retry",
}


_CRON = re.compile(r"USING CRON ((?:\S+ ){4}\S+) (\S+)")
_EVERY = re.compile(r"([\d.e+]+) SECONDS")


def schedule_words(text: str) -> str:
    """Say when a graph runs: at 0 2 * * * (Europe/Berlin), every 10 min, or when …"""
    text = _CRON.sub(r"at \1 (\2)", text)
    return _EVERY.sub(lambda found: f"every {seconds(float(found[1]))}", text)


def standing(state: str | None) -> Document:
    """Return a state's word, level and shape."""
    word, level = STATES.get(state, (str(state).lower(), ""))
    shape = "pause" if state == "SUSPENDED" else SHAPES[level]
    return {"word": word, "level": level, "shape": shape}


def with_standing(told: Document) -> Document:
    """Return a record that has a `state`, with its word, level and shape."""
    return {**told, **standing(told["state"])}


def waiting_names(board: Document) -> set[str]:
    """Return the tasks that a graph run under way has still to come to.

    Those that were done in an attempt before are not asked again.
    """
    for run in board["graph_runs"]:
        if run["state"] == "EXECUTING" and run["root_task_name"] == board["root"]:
            begun = {each["name"] for each in run["tasks"]}
            return {each["name"] for each in board["tasks"]} - begun
    return set()


def of_task(task: Document, waiting: bool) -> Document:
    """Return how a task stands in the drawing, and a few words beside it."""
    state = task["last_state"]
    if task["state"] == "suspended" and state != "EXECUTING":
        state = "SUSPENDED"
    elif waiting:
        state = "WAITING"
    told = standing(state)
    hint = told["word"]
    took = between(task.get("last_started_at"), task.get("last_ended_at"))
    if state in ("SUCCEEDED", "FAILED") and took is not None and took >= 0:
        hint = f"{hint}, {seconds(took)}"
    return {**told, "hint": hint}


def counted(runs: list[Document]) -> list[Document]:
    """Return how many tasks of a run stand how: level, count and word of each."""
    counts: dict[tuple[str, str], int] = {}
    for each in runs:
        key = each["level"], each["word"]
        counts[key] = counts.get(key, 0) + 1
    return [
        {"level": level, "word": word, "count": count}
        for (level, word), count in counts.items()
    ]


def in_words(runs: list[Document]) -> str:
    """Say how many tasks of a run stand how: 5 succeeded, 1 failed."""
    counts: dict[str, int] = {}
    for each in runs:
        word = STATES.get(each["state"], (str(each["state"]).lower(), ""))[0]
        counts[word] = counts.get(word, 0) + 1
    told = ", ".join(f"{count} {word}" for word, count in counts.items())
    return told or "no task was begun"
